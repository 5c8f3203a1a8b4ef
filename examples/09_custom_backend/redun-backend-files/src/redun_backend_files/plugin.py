"""What this distribution offers redun; imported by every command, so it imports nothing heavy."""

from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_backends():
    yield Provider("files", "redun_backend_files.backend:FilesBackend", "A cache in a folder of files")
