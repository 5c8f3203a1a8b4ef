"""Serves the folder ``pages`` on a free port of this machine while a command runs: ``serve.py COMMAND...``."""

import random
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


def open_server():
    """Return a server at the port of the last time, so that addresses stay the same, or at a free one.

    Systems give ports above 30,000 to any program that asks for one: between two commands, those may be taken.
    """
    known = Path("port")
    ports = [int(known.read_text())] if known.exists() else random.sample(range(20_000, 30_000), 100)
    for port in ports:
        try:
            return ThreadingHTTPServer(("127.0.0.1", port), partial(QuietHandler, directory="pages"))
        except OSError as error:
            problem = error
    raise problem


with open_server() as server:
    Path("port").write_text(str(server.server_port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    done = subprocess.run([word.replace("SITE", address) for word in sys.argv[1:]], check=False)
    server.shutdown()
sys.exit(done.returncode)
