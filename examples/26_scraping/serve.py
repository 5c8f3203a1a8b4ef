"""Serves the folder ``pages`` on a free port of this machine while a command runs: ``serve.py COMMAND...``."""

import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


def find_port():
    """Return the port of the last time, so that addresses stay the same, or 0."""
    path = Path("port")
    return int(path.read_text()) if path.exists() else 0


with ThreadingHTTPServer(("127.0.0.1", find_port()), partial(QuietHandler, directory="pages")) as server:
    Path("port").write_text(str(server.server_port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    done = subprocess.run([word.replace("SITE", address) for word in sys.argv[1:]], check=False)
    server.shutdown()
sys.exit(done.returncode)
