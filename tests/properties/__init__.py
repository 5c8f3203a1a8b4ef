"""Properties of whole workflows, checked on random ones."""
