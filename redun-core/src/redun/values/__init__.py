"""Values: identity, storage and validity of everything that passes between tasks."""
