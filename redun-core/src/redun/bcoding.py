"""Bencode, under the name by which workflows import it."""

from redun.hashing import bdecode, bencode

__all__ = ["bdecode", "bencode"]
