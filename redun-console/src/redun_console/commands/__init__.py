"""The command of the console."""
