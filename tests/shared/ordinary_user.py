"""Being a user who may not do everything, for tests of what is denied: the permissions of files bind no root."""

import os
from contextlib import contextmanager

NOBODY = 65534


@contextmanager
def being_ordinary():
    """Let this process act as an ordinary user for a while, if it is root's."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
