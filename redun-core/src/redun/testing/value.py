"""What every type of values has to get right, whoever wrote it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from redun.errors import InvalidValueError
from redun.scheduler import Scheduler
from redun.task import task
from redun.values.base import ProxyValue
from redun.values.codec import EncodedValue
from redun.values.preview import preview
from redun.values.registry import get_type_registry

_READ = """
import pickle, sys
from redun.values.registry import get_type_registry

registry = get_type_registry()
found = []
for name, data_format, data in pickle.load(sys.stdin.buffer):
    encoded = registry.encode(registry.decode(name, data_format, data))
    found.append((encoded.value_hash, encoded.type_name))
sys.stdout.buffer.write(pickle.dumps(found))
"""
_LIST = """
import sys
from redun.plugins.catalog import values

missing = [name for name in sys.argv[2:] if name not in values]
print(*missing)
print(*(name for name in sys.argv[1].split(",") if name in sys.modules))
"""


class ValueContract:
    """Tests of one type of values. Subclass it in a test module and define `make_values`.

    Attributes
    ----------
    type_names : Sequence of str
        The names under which a plugin offers the type; empty if no plugin does.
    heavy : Sequence of str
        The modules that are not to be imported when the types that plugins offer are listed.
    preview_length : int
        How long a line that shows a value may be, in characters.
    tells_damage : bool
        Whether half of the stored bytes is never taken for a value; false for types that are stored as any text.

    Examples
    --------
    >>> class TestNumbers(ValueContract):
    ...     def make_values(self, folder):
    ...         return {"one": 1, "two": 2}
    """

    type_names: ClassVar[Sequence[str]] = ()
    heavy: ClassVar[Sequence[str]] = ()
    preview_length: ClassVar[int] = 200
    tells_damage: ClassVar[bool] = True

    def make_values(self, folder: Path) -> Mapping[str, Any]:
        """Return values that are all different, by what they are; each time new ones that are equal to those before.

        Parameters
        ----------
        folder
            A folder for whatever they need, the same for all calls in one test.
        """
        raise NotImplementedError("define make_values in the subclass")

    def is_same(self, value: Any, other: Any) -> bool:
        """Whether two values are the same; default is that they are equal, or have one address."""
        return bool(_encode(value).value_hash == _encode(other).value_hash)

    @pytest.fixture
    def values(self, tmp_path: Path) -> Mapping[str, Any]:
        """Values of the type by what they are."""
        return self.make_values(tmp_path)

    @pytest.fixture
    def encoded(self, values: Mapping[str, Any]) -> Mapping[str, EncodedValue]:
        """The same values, encoded."""
        return {name: _encode(value) for name, value in values.items()}

    def test_equal_values_have_one_address(self, encoded: Mapping[str, EncodedValue], tmp_path: Path) -> None:
        """Values that were made in the same way have the same address, of the right form."""
        again = {name: _encode(value) for name, value in self.make_values(tmp_path).items()}

        changed = [name for name, value in encoded.items() if again[name].value_hash != value.value_hash]
        assert changed == []
        malformed = [name for name, value in encoded.items() if len(value.value_hash) != 40]
        assert malformed == []

    def test_different_values_have_different_addresses(self, encoded: Mapping[str, EncodedValue]) -> None:
        """No two values share an address."""
        by_address: dict[str, list[str]] = {}
        for name, value in encoded.items():
            by_address.setdefault(value.value_hash, []).append(name)

        assert [names for names in by_address.values() if len(names) > 1] == []

    def test_values_are_read_back(self, values: Mapping[str, Any], encoded: Mapping[str, EncodedValue]) -> None:
        """A value that is read back is of the same type, is the same, and has the same address."""
        changed = []
        for name, value in values.items():
            read = _decode(encoded[name])
            is_equal = type(read) is type(value) and self.is_same(value, read)
            if not is_equal or _encode(read).value_hash != encoded[name].value_hash:
                changed.append(name)

        assert changed == []

    def test_another_process_reads_and_addresses_them(self, encoded: Mapping[str, EncodedValue]) -> None:
        """A process that has imported nothing reads the values, and gives them the same addresses and types."""
        stored = pickle.dumps([(value.type_name, value.format, value.data) for value in encoded.values()])

        found = pickle.loads(_run_python(_READ, stored, PYTHONHASHSEED="1"))

        assert found == [(value.value_hash, value.type_name) for value in encoded.values()]

    def test_preview_reads_without_unpickling(
        self, encoded: Mapping[str, EncodedValue], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A value is shown on one line, without its class reading it and without unpickling."""
        monkeypatch.setattr(pickle, "loads", _refuse)
        for value in encoded.values():
            value_class = get_type_registry().get_type(get_type_registry().parse_type_name(value.type_name))
            monkeypatch.setattr(value_class, "deserialize", _refuse)

        lines = {
            name: preview(value.type_name, value.format, value.data, self.preview_length)
            for name, value in encoded.items()
        }

        assert [name for name, line in lines.items() if not line or "\n" in line or "unreadable" in line] == []
        assert [name for name, line in lines.items() if len(line) > self.preview_length] == []

    def test_damaged_values_are_told(self, encoded: Mapping[str, EncodedValue]) -> None:
        """Bytes that were cut in half are an error that the cache takes for a miss."""
        if not self.tells_damage:
            pytest.skip("half of a stored value of this type may be a value, too (tells_damage)")
        for value in encoded.values():
            with pytest.raises(InvalidValueError):
                _decode(value._replace(data=value.data[: len(value.data) // 2]))

    def test_listing_imports_nothing_heavy(self) -> None:
        """That a plugin offers the type is known without importing the type or what it needs."""
        listed = _run_python(_LIST, b"", ",".join(self.heavy), *self.type_names).decode()

        missing, imported = listed.split("\n")[:2]
        assert (missing, imported) == ("", "")

    def test_subclass_is_looked_after(self, values: Mapping[str, Any]) -> None:
        """The class that looks after a type looks after its subclasses, too."""
        registry = get_type_registry()
        for raw_type in {type(value) for value in values.values()}:
            value_class = registry.get_type(raw_type, use_default=False)
            if value_class is None or not issubclass(value_class, ProxyValue):
                continue
            try:
                subclass = type("Subclass", (raw_type,), {})
            except TypeError:  # It can't have any.
                continue
            assert registry.get_type(subclass, use_default=False) is value_class

    def test_workflow_replays_them(self, values: Mapping[str, Any]) -> None:
        """A task that is given such values and returns them runs once, and what is replayed is the same."""
        ran: list[int] = []

        @task(namespace="redun_value_contract", version=type(self).__qualname__)
        def pass_on(value: Any) -> Any:
            ran.append(1)
            return value

        with Scheduler() as scheduler:
            for value in values.values():
                first = scheduler.run(pass_on(value))
                again = scheduler.run(pass_on(value))
                assert _encode(again).value_hash == _encode(first).value_hash
        assert len(ran) == len(values)


def _encode(value: Any) -> EncodedValue:
    return get_type_registry().encode(value)


def _decode(value: EncodedValue) -> Any:
    return get_type_registry().decode(value.type_name, value.format, value.data)


def _refuse(*arguments: Any, **_: Any) -> Any:
    raise AssertionError("a display must not unpickle")


def _run_python(code: str, given: bytes, *arguments: str, **environment: str) -> bytes:
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
        timeout=120,
    )
    assert not done.returncode, done.stderr.decode()
    return done.stdout
