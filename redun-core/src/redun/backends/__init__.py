"""Stores: where redun remembers what was computed. `base` is the contract, `memory` the built-in implementation."""
