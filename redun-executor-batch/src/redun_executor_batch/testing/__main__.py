"""The endpoint as a program: it prints its address and serves until its standard input ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

from redun_executor_batch.testing.batch_api import REGION
from redun_executor_batch.testing.server import Endpoint, EndpointServer
from redun_executor_batch.testing.warm import WarmPrograms

_PASSED_ON = ("LANG", "LC_ALL", "PYTHONPATH", "TMPDIR", "UV_SYSTEM_CERTS")


def main() -> None:
    """Serve. Ends, with all jobs, when whoever started it closes the pipe, or is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--queue", action="append", default=[])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    endpoint = Endpoint(arguments.folder, arguments.queue)
    server = EndpointServer(arguments.port, endpoint)
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory(prefix="redun-warm-") as folder:
        programs = WarmPrograms(Path(folder))
        endpoint.cluster.prepare = programs.start
        endpoint.cluster.settings.environment.update(make_environment(url, programs.folder))
        _serve(server, url)
        endpoint.cluster.close()
        programs.close()


def _serve(server: EndpointServer, url: str) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _wait_for_pipe)
    print(url, flush=True)
    sys.stdin.read()


def _wait_for_pipe(number: int, frame: FrameType | None) -> None:
    """Go on: the end of the pipe says when it is over. Signals that are ignored would be so by jobs, too."""


def make_environment(url: str, programs: Path) -> dict[str, str]:
    """Return the variables of every job: what containers have, and where the endpoint is.

    Parameters
    ----------
    url
        The address of the endpoint.
    programs
        The folder of the programs that jobs find first.
    """
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    folders = [str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {**passed, "PATH": os.pathsep.join(folders), **make_client_environment(url)}


def make_client_environment(url: str) -> dict[str, str]:
    """Return the variables with which programs talk to the endpoint."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "redun",
        "AWS_SECRET_ACCESS_KEY": "redun-secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


if __name__ == "__main__":
    main()
