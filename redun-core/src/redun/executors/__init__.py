"""Executors: where tasks run. `base` is the contract, `local` and `alias` are the built-in implementations."""
