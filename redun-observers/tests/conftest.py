"""A real server to tell things to, and workflows to tell of."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from redun import Scheduler
from redun.config import Config


class Server:
    """A server that keeps what is posted to it, and answers as it is told.

    Attributes
    ----------
    posts : list
        The path, the headers and the body of each request, in order.
    statuses : list of int
        The answers to the next requests; after these 200.
    may_answer : threading.Event
        While it is not set, requests get no answer.
    """

    def __init__(self):
        self.posts, self.statuses = [], []
        self.may_answer = threading.Event()
        self.may_answer.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.posts.append((self.path, dict(self.headers), body))
                status = server.statuses.pop(0) if server.statuses else 200
                server.may_answer.wait()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments):
                """Say nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def read_events(self):
        """Return what was posted, as JSON."""
        return [json.loads(body) for _, _, body in self.posts]

    def stop(self):
        """Answer what is waiting, and end."""
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server():
    """A server on a free port."""
    started = Server()
    yield started
    started.stop()


@pytest.fixture
def observed(tmp_path):
    """A function that returns a scheduler with one configured observer; paths are relative to `tmp_path`."""

    def make(**options):
        section = {name: str(value) for name, value in options.items()}
        return Scheduler(Config({"observers": {"watch": section}}, str(tmp_path)))

    return make


@pytest.fixture
def warned(caplog):
    """A function that returns what observers warned of."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
