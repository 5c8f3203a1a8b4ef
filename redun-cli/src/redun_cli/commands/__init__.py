"""The commands that come with the command line, one module each."""
