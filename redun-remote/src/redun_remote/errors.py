"""What can go wrong with a job on another machine. Errors that say nothing else are retried as lost infrastructure."""

from __future__ import annotations

from redun.errors import ConfigError, ExecutorError, FailureKind


class ScratchError(ExecutorError, OSError):
    """A file in the scratch space is missing, damaged or denied."""


class OutputNotFoundError(ScratchError, FileNotFoundError):
    """A job succeeded and left no output."""


class JobLostError(ExecutorError):
    """A job ended before it could say what came of it."""


class WorkerSetupError(ExecutorError):
    """A worker lacks what the call needs: the code, a library, a plugin or a version. Retries would not help."""

    kind = FailureKind.USER


class CodePackageError(ConfigError):
    """The code of a workflow can't be packed as the configuration says."""
