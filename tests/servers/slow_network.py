"""A TCP proxy on the loopback interface that makes a server look far away, and can cut the wire.

It counts *round trips*: how often a client spoke after the server had, which is how often it waited for the network.
This module is a pytest plugin: every test can ask for its fixture.
"""

import socket
import threading
import time
from queue import SimpleQueue

import pytest

CHUNK = 1 << 16


class SlowNetwork:
    """A way to a server that takes time.

    Parameters
    ----------
    port
        The port of the server.
    delay
        How many seconds a message takes in each direction.
    """

    def __init__(self, port, delay=0.0):
        self.delay = delay
        self.round_trips = 0
        self.connections = 0
        self._server = ("127.0.0.1", port)
        self._cut_at = None
        self._open = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, text):
        """Cut the wire once: when a client has sent some text, and the server has got it, but not answered."""
        self._cut_at = text

    def close(self):
        """Cut everything and listen no more."""
        with self._lock:
            self._listener.close()
            for end in self._open:
                end.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            self.connections += 1
            with self._lock:
                self._open |= {client, server}
            wire = _Wire(self, client, server)
            for source, target in ((client, server), (server, client)):
                messages = SimpleQueue()
                threading.Thread(target=wire.read, args=(source, messages), daemon=True).start()
                threading.Thread(target=wire.write, args=(target, messages), daemon=True).start()

    def is_to_cut(self, data):
        """Whether this message is the one after which the wire is cut; true once."""
        with self._lock:
            if self._cut_at is None or self._cut_at not in data:
                return False
            self._cut_at = None
            return True


class _Wire:
    """One connection: what comes from each end is carried to the other one, after the delay."""

    def __init__(self, network, client, server):
        self._network, self._client, self._server = network, client, server
        self._last = server
        self._is_cut = False

    def read(self, source, messages):
        """Take what one end sends."""
        while True:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b""
            if self._is_cut and source is self._server:
                data = b""
            if data and source is self._client and self._last is self._server:
                self._network.round_trips += 1
            self._last = source
            if data and source is self._client and self._network.is_to_cut(data):
                self._is_cut = True
            messages.put((time.monotonic() + self._network.delay, data))
            if not data:
                return

    def write(self, target, messages):
        """Hand over to the other end what is due."""
        while True:
            due, data = messages.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    target.shutdown(socket.SHUT_RDWR)
                    target.close()
                    return
                target.sendall(data)
            except OSError:
                return


@pytest.fixture
def make_network():
    """Makes ways to a server, by its port; they are gone after the test."""
    made = []

    def make(port, delay=0.0):
        made.append(SlowNetwork(port, delay))
        return made[-1]

    yield make
    for network in made:
        network.close()
