"""Queries over the call graph, under the name by which programs import them; from redun-backend-sql."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party

if TYPE_CHECKING:
    from redun_backend_sql.graph_query import *  # noqa: F403

_module = import_first_party("redun_backend_sql.graph_query", "redun-backend-sql", "redun.backends.db.query")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
