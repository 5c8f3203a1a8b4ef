"""Runs one call: ``python -m redun_executor_command.worker``."""

import os
import pickle
import sys

from redun.executors.transport import Refused, open_request, pack_error, pack_result


def answer(request):
    try:
        func, args, kwargs = open_request(request)
    except (Exception, SystemExit) as error:
        return Refused(f"{type(error).__name__}: {error}")
    try:
        return pack_result(request, func, func(*args, **kwargs), ())
    except BaseException as error:  # A call that exits must not take the answer with it.
        return pack_error(request, func, error, ())


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What the call prints must not get into the answer.
    folder, sys.path[:], request = pickle.load(sys.stdin.buffer)
    os.chdir(folder)
    with answers:
        pickle.dump(answer(request), answers)
