"""How much work something is, counted where the clock would be at the mercy of the machine."""

import sys


def count_calls(func, *args):
    """Return how many of redun's own functions a call takes."""
    calls = []

    def note(frame, event, _):
        if event == "call" and frame.f_globals["__name__"].startswith("redun."):
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        func(*args)
    finally:
        sys.setprofile(None)
    return len(calls)
