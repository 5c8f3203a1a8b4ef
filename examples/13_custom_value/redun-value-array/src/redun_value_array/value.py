"""Arrays of numbers: a line that says of what and how many, then the numbers as they are in memory."""

import sys
from array import array

from redun.hashing import hash_tag_bytes
from redun.value import ProxyValue


class ArrayValue(ProxyValue):
    """Looks after ``array.array``, which redun would pickle otherwise."""

    type = array
    type_name = "array.array"

    def get_hash(self, data=None):
        return hash_tag_bytes("array.array", data or self.serialize())

    def serialize(self):
        numbers = self.instance
        head = f"array of {len(numbers)} {numbers.typecode!r}, {numbers.itemsize} bytes each\n"
        return head.encode() + _swap_on_big_endian(numbers).tobytes()

    @classmethod
    def deserialize(cls, raw_type, data):
        head, _, content = data.partition(b"\n")
        _, _, count, typecode, size, *_ = head.decode().split()
        numbers = array(typecode.strip("',"))
        numbers.frombytes(content)
        if (len(numbers), numbers.itemsize) != (int(count), int(size)):
            raise ValueError(f"{len(content)} bytes are no {head.decode()}")
        return _swap_on_big_endian(numbers)

    @classmethod
    def get_serialization_format(cls):
        return "application/x-redun-array"

    @classmethod
    def parse_arg(cls, raw_type, arg):
        return array("d", map(float, arg.split(",")))


def _swap_on_big_endian(numbers):
    swapped = array(numbers.typecode, numbers)
    if sys.byteorder == "big":
        swapped.byteswap()
    return swapped
