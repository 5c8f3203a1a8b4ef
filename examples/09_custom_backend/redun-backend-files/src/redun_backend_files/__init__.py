"""A cache for redun in a folder of files."""
