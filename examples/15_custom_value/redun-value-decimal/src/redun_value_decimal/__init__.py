"""Decimal numbers as values of redun."""
