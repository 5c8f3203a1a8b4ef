"""The sections of a configuration that a scheduler reads."""

from __future__ import annotations

from redun.plugins import catalog
from redun.scheduler.limits import read_capacities
from redun.scheduler.setup import read_tags
from redun.sections import KindSection, NamesSection
from redun.settings import OptionText

BACKEND = KindSection(catalog.backends, "sql")
EXECUTORS = KindSection(catalog.executors)
OBSERVERS = KindSection(catalog.observers)
LIMITS = NamesSection(OptionText("NAME", "int", "1", "how many units there are of the resource NAME"), read_capacities)
TAGS = NamesSection(OptionText("KEY", "JSON", None, "the value of tag KEY; what is no JSON is a text"), read_tags)
