"""The commands of the ``redun`` program that query the SQL store."""
