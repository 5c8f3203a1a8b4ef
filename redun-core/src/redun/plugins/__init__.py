"""The plugin kernel: how installed packages add executors, stores, value types, commands and observers.

A plugin is a distribution with an entry point in group ``redun``, named after the distribution without ``redun-``,
whose value is a *hook module*. The hook module sets ``redun_api = 1`` and implements some of the hooks in
`redun.plugins.specs`; most return `Provider` records, names with the places of the objects they stand for. It imports
nothing heavy, because every command loads it; the objects themselves are imported when they are asked for.

`host` finds and loads plugins and sets broken ones aside, `catalog` answers what a name stands for.
"""

from redun.plugins.provider import Provider

API_VERSION = 1
"""The version of the plugin interface; a hook module names the one it is written for as ``redun_api``."""

__all__ = ["API_VERSION", "Provider"]
