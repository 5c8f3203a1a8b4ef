"""What a plugin offers: a name, and where to import what it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from redun.errors import PluginError


@dataclass(frozen=True)
class Provider:
    """A named object of a plugin, imported when it is first asked for.

    Attributes
    ----------
    name
        The name by which users or stored data ask for it.
    target
        Where it is: ``"package.module:attribute"``.
    summary
        One line for listings.

    Examples
    --------
    >>> Provider("pi", "math:pi", "The ratio of a circle's circumference to its diameter").load()
    3.141592653589793
    """

    name: str
    target: str
    summary: str = ""

    def load(self) -> Any:
        """Import the object.

        Raises
        ------
        PluginError
            When the target is malformed or not there.
        Exception
            Whatever importing its module raises.
        """
        module_name, colon, attribute = self.target.partition(":")
        if not (module_name and colon and attribute):
            raise PluginError(f"the target {self.target!r} of {self.name!r} is not of the form 'module:attribute'")
        found: Any = import_module(module_name)
        try:
            for part in attribute.split("."):
                found = getattr(found, part)
        except AttributeError as error:
            raise PluginError(f"{self.name!r} is to be found as {self.target!r}, but {error}") from error
        return found
