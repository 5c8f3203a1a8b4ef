"""Executors: where tasks run. `base` is the contract, `local` the built-in implementation."""
