"""Ports for servers of tests that can't be told to take any.

Between the moment in which a port is found and that in which the server listens there, and while a server is stopped,
the system may give the port to any program that asks for one. So ports are looked for where it gives none.
"""

import random
import socket
from contextlib import closing

_RANGE = range(10_240, 20_240)
"""Ports below those that systems give away, which begin at 32,768 or higher, and with 10,000 added still others."""


def find_free_ports(number, steps=(0,)):
    """Return ports of the loopback interface that are free, and so are those that are some steps above them.

    Parameters
    ----------
    number
        How many.
    steps
        What a server adds to its port, for all ports that it takes.
    """
    ports = random.SystemRandom().sample(_RANGE, len(_RANGE))
    free = (port for port in ports if all(_is_free(port + step) for step in steps))
    return [next(free) for _ in range(number)]


def _is_free(port):
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
