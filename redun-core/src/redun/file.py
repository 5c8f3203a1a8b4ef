"""Files, under the name by which workflows import them and stored pickles refer to them; from redun-value-file."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party, load_export

if TYPE_CHECKING:
    from redun_value_file.public import *  # noqa: F403

_module = import_first_party("redun_value_file", "redun-value-file", "redun.file")


def __getattr__(name: str) -> Any:
    if name == "ShardedS3Dataset":  # It comes from another distribution than files.
        return load_export(name)
    return getattr(_module, name)
