"""The tables as classes, for queries.

Imported only where something is queried: recording, looking up and `redun log` work on rows. The classes and relations
are those that users of the call graph know: an `Execution` has a root `Job`; a job came to a `CallNode`; a call node
has a `Task`, `Argument` objects, a result `Value`, and children; a `Tag` is on any of them.

Relations are for reading: what is recorded stays as it is, and tags are changed through the store. Reading
`value_parsed` unpickles, which runs code that whoever recorded the value has chosen; nothing else here does, and
`preview` shows a value without. The bytes of a value are loaded when they are asked for.
"""

from redun_backend_sql.models.base import Base, JsonText, UtcDateTime
from redun_backend_sql.models.calls import (
    Argument,
    ArgumentResult,
    CallEdge,
    CallNode,
    CallSubtreeTask,
    Evaluation,
    Task,
)
from redun_backend_sql.models.jobs import Execution, Job, RedunVersion
from redun_backend_sql.models.tags import Tag, TagEdit
from redun_backend_sql.models.values import File, Handle, HandleEdge, Subvalue, Value

__all__ = [
    "Argument",
    "ArgumentResult",
    "Base",
    "CallEdge",
    "CallNode",
    "CallSubtreeTask",
    "Evaluation",
    "Execution",
    "File",
    "Handle",
    "HandleEdge",
    "Job",
    "JsonText",
    "RedunVersion",
    "Subvalue",
    "Tag",
    "TagEdit",
    "Task",
    "UtcDateTime",
    "Value",
]
