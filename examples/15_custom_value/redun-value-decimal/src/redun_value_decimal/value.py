"""Decimal numbers: 1.50 and 1.5 are one value, stored as text."""

from decimal import Decimal

from redun.hashing import hash_struct
from redun.value import ProxyValue


class DecimalValue(ProxyValue):
    type = Decimal
    type_name = "decimal.Decimal"

    def get_hash(self, data=None):
        return hash_struct(["Decimal", str(self.instance.normalize())])

    def serialize(self):
        return str(self.instance).encode()

    @classmethod
    def deserialize(cls, raw_type, data):
        return Decimal(data.decode())

    @classmethod
    def get_serialization_format(cls):
        return "text/plain"
