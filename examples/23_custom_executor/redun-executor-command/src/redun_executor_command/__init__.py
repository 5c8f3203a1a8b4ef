"""An executor for redun that runs calls behind a command."""
