"""The version of redun, shared by all of its distributions."""

__version__ = version = "0.47.0"
