"""The hook module: what is offered, without importing it, and how stored numbers are shown."""

from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_values():
    yield Provider("decimal.Decimal", "redun_value_decimal.value:DecimalValue", "Decimal numbers, equal by value")


@hookimpl
def redun_render_value(type_name, data):
    return f"Decimal({data.decode()})" if type_name == "decimal.Decimal" else None
