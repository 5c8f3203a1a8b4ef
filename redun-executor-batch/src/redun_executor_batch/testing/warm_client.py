"""The small program ``redun`` that jobs find at the endpoint; run without site-packages, so that it starts at once.

Its own arguments are the address of the process that forks, and the real program, which it becomes when there is no
such process.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys


def main() -> None:
    """Have the command done by a fork, and end as it does."""
    address, real, *arguments = sys.argv[1:]
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        os.execv(real, [real, *arguments])  # noqa: S606
    payload = marshal.dumps([arguments, os.getcwd(), dict(os.environ)])
    socket.send_fds(connection, [len(payload).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(payload)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: connection.sendall(bytes([number])))
    code = connection.recv(1)
    os._exit(code[0] if code else 1)


if __name__ == "__main__":
    main()
