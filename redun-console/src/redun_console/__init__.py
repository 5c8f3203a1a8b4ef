"""The command `redun console`: screens of a terminal in which the call graph is looked around in."""
