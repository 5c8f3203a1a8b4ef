"""The screens, one module for each; `base` is what they have in common."""
