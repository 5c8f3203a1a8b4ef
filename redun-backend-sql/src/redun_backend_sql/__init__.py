"""The SQL store of redun: results and provenance in a database that other tools can read.

`backend` is the store that a scheduler uses, `models` maps its tables to classes for queries, `migrations` creates
and upgrades them.
"""
