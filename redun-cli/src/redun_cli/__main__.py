"""``python -m redun_cli``: the ``redun`` command of this interpreter."""

from redun_cli.main import main

if __name__ == "__main__":
    main()
