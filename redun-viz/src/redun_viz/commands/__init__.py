"""The commands of the ``redun`` program that draw pictures."""
