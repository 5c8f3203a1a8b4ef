"""Gives tests the fixture ``scheduler``."""

pytest_plugins = ["redun.pytest"]
