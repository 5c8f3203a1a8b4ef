"""Processes that are no children of this one."""


def is_running(pid):
    """Whether a process exists that is more than an entry which nobody has read yet."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
