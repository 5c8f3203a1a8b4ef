"""The ``redun`` command.

`main` is its root: an empty group to which every installed plugin adds commands through the hook ``redun_commands``.
Its own commands are in `commands`, one module each, and come the same way.
"""
