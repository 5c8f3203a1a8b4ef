"""The checks of a store, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Sequence

from redun_backend_sql.check import Check
from redun_backend_sql.check_hashes import check_calls, check_evaluations, check_tags
from redun_backend_sql.check_journals import check_journals
from redun_backend_sql.check_tables import check_database, check_references
from redun_backend_sql.check_values import check_dropped, check_rows, check_value_store

FAST_CHECKS: Sequence[Check] = (check_database, check_references, check_dropped, check_value_store, check_journals)
"""Those that need no bytes and no addresses, or can do without."""

CHECKS: Sequence[Check] = (*FAST_CHECKS, check_rows, check_calls, check_evaluations, check_tags)
"""All of them."""
