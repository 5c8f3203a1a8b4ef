"""The commands that this distribution adds to ``redun``, one module each."""
