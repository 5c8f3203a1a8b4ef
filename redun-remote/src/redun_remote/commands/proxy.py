"""``redun proxy``: start executions for others."""

from __future__ import annotations

import os

import click

from redun.workspace import Workspace


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=int, default=8300, show_default=True, help="The port to listen at; 0 for any that is free."
)
@click.pass_obj
def proxy(workspace: Workspace, host: str, port: int) -> None:
    """Start executions of entry points for who has the token.

    The token is in the environment variable REDUN_PROXY_TOKEN, or in the file that REDUN_PROXY_TOKEN_FILE names.
    Sections [proxy] and [proxy.configs] say what may be started. The connection is not encrypted: beyond this
    machine, put a server with TLS in front, or let one serve the application redun_remote.proxy:app.

    \b
    Examples:
      export REDUN_PROXY_TOKEN_FILE=token
      redun proxy
      redun proxy --host 0.0.0.0 --port 80
    """
    from redun_remote.proxy import Proxy
    from redun_remote.serving import make_server
    from redun_remote.token import read_token

    app = Proxy(workspace.read_config(create=False), read_token(os.environ))
    server = make_server(app, host, port)
    click.echo(f"Listening at http://{server.server_address[0]!s}:{server.server_address[1]}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        server.server_close()
