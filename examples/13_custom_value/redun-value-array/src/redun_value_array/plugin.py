"""What this distribution offers redun; imported by every command, so it imports nothing heavy."""

from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_values():
    yield Provider("array.array", "redun_value_array.value:ArrayValue", "An array of numbers")


@hookimpl
def redun_render_value(type_name, data):
    return data.partition(b"\n")[0].decode("latin-1") if type_name == "array.array" else None
