"""Stores to run the contract of stores on: a good one, and others that break it."""
