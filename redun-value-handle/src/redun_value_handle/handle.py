"""Handles: values that stand for something outside whose state can't be hashed, such as a database.

Of a handle only what its constructor was called with is stored; a handle that is read back is constructed anew, so
whatever it opens is opened again and nothing of it gets into the cache. That happens when it is first used: a run that
only looks at recorded states opens nothing. The state of what is outside is told by the calls that led to it. So a
handle has one of three kinds of addresses:

- *fresh*, as it was constructed: its name and the arguments of its constructor,
- *forked* off a state, with a key: what a call gets of a handle that is passed to it,
- *applied*: what a call that returns a handle has led to.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from redun.hashing import hash_struct
from redun.namespace import compute_namespace, join_name
from redun.scheduler.handles import is_valid_state
from redun.values.registry import get_type_registry
from redun.values.state import State, StateValue


class HandleInfo(NamedTuple):
    """What tells one state of a handle from all others.

    Attributes
    ----------
    name, namespace
        What it is called.
    args, kwargs
        What its constructor was called with after the name.
    class_name
        The type name of its class.
    call_hash
        The address of the call that led to it or, with a key, of the state that it was forked off; None if it is fresh.
    key
        Which of the forks of one state it is; empty if it is none.
    hash
        Its address.
    """

    name: str
    namespace: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    class_name: str
    call_hash: str | None
    key: str
    hash: str

    @property
    def fullname(self) -> str:
        """The namespace, if there is one, and the name, joined by a dot."""
        return join_name(self.namespace, self.name)

    def lead(self, call_hash: str, key: str) -> HandleInfo:
        """Return another state of the same handle."""
        state_hash = hash_struct(["Handle", self.fullname, "call_hash", key, call_hash])
        return self._replace(call_hash=call_hash, key=key, hash=state_hash)


def make_info(
    name: str, namespace: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], class_name: str
) -> HandleInfo:
    """Return what is known of a handle that is fresh."""
    encode = get_type_registry().encode
    hashes = [encode(value).value_hash for value in args], {key: encode(kwargs[key]).value_hash for key in kwargs}
    state_hash = hash_struct(["Handle", join_name(namespace, name), "init", "", *hashes])
    return HandleInfo(name, namespace, args, kwargs, class_name, None, "", state_hash)


class Handle(StateValue):
    """Something outside whose state calls advance: a database, a service, a connection to one of them.

    Define a subclass with a constructor that takes a name and whatever it needs to connect. If the constructor sets
    ``self.instance``, attributes that the handle itself does not have are those of the instance. The handle and the
    states that are forked off it in one process share the instance.

    Parameters
    ----------
    name
        What the handle is called. Handles of one name and namespace are the same thing outside.
    *args, **kwargs
        What else the constructor needs, which is recorded: passwords do not belong there.
    namespace
        The namespace of the name; default is that of the module which defines the class. A constructor that is to be
        given one has to accept it.

    Examples
    --------
    >>> import sqlite3
    >>> class Database(Handle):
    ...     def __init__(self, name, path):
    ...         self.instance = sqlite3.connect(path)
    >>> database = Database("example", ":memory:")
    >>> database.execute("select 1 + 1").fetchone()
    (2,)
    """

    __module__ = "redun.handle"
    type_name = "redun.Handle"
    __handle__: HandleInfo
    instance: Any
    if TYPE_CHECKING:
        __await__: None  # Else its attributes of any name would make it a coroutine to type checkers.

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Note what the constructor is called with; nothing, where a handle is read back."""
        made = super().__new__(cls)
        if args or kwargs:
            made.__handle__ = _read_arguments(cls, *args, **kwargs)
        return made

    def __init__(self, name: str | None = None, *args: Any, namespace: str | None = None, **kwargs: Any) -> None:
        return

    def fork(self, key: str) -> Any:
        """Return a state of its own from which something goes on, apart from what other keys lead to.

        Calls that get different forks do not put an end to what each of them has done.

        Raises
        ------
        ValueError
            When the key is empty.
        """
        if not key:
            raise ValueError("a fork of a handle needs a key: any text that is not empty")
        fork = self._go_to(self.__handle__.lead(self.__handle__.hash, key))
        fork.__dict__["__parent__"] = self
        return fork

    def apply_call(self, call_hash: str) -> Any:
        """Return the state that a call leads to."""
        return self._go_to(self.__handle__.lead(call_hash, ""))

    def _go_to(self, info: HandleInfo) -> Any:
        """Return a handle for another state, which shares everything else with this one."""
        made = StateValue.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.pop("__parent__", None)
        made.__dict__["__handle__"] = info
        return made

    def get_state(self) -> State:
        info = self.__handle__
        parent_hash = info.call_hash or "" if info.key else ""
        return State(info.hash, info.fullname, info.key, parent_hash, self.__dict__.get("__parent__"))

    def get_hash(self, data: bytes | None = None) -> str:
        return self.__handle__.hash

    def is_valid(self) -> bool:
        """Whether what is outside contains what led to this state, and the class still has the name it had.

        Raises
        ------
        NoCurrentScheduler
            When no scheduler runs on this thread, which would know.
        """
        info = self.__handle__
        return info.class_name == self.type_name and (info.call_hash is None or is_valid_state(info.hash))

    def __getattribute__(self, name: str) -> Any:
        if name not in _OF_EVERY_HANDLE and "__unmade__" in object.__getattribute__(self, "__dict__"):
            _construct(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if "__unmade__" in self.__dict__:
            _construct(self)
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "__handle__":
            _refuse(type(self))
        if name == "instance" or "instance" not in self.__dict__ or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return getattr(self.__dict__["instance"], name)

    def __repr__(self) -> str:
        info = self.__handle__
        return f"{type(self).__name__}(fullname={info.fullname}, hash={info.hash[:8]})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__handle__._asdict()

    def __setstate__(self, state: dict[str, Any]) -> None:
        known = {name: state[name] for name in HandleInfo._fields if name in state}
        self.__dict__["__handle__"] = HandleInfo(**{"call_hash": None, "key": "", **known})
        self.__dict__["__unmade__"] = True


_OF_EVERY_HANDLE = frozenset((*dir(Handle), "__handle__"))
_constructing = RLock()


def _construct(handle: Handle) -> None:
    """Call the constructor of a handle that was read back, if nobody did since."""
    with _constructing:
        if handle.__dict__.pop("__unmade__", False):
            info = handle.__handle__
            try:
                type(handle).__init__(handle, info.name, *info.args, **info.kwargs)
            except BaseException:
                handle.__dict__["__unmade__"] = True
                raise


def _read_arguments(cls: type[Handle], /, *args: Any, namespace: str | None = None, **kwargs: Any) -> HandleInfo:
    name, *rest = (kwargs.pop("name"), *args) if "name" in kwargs else args or (None,)
    if not isinstance(name, str) or not name:
        _refuse(cls)
    return make_info(name, compute_namespace(cls.__module__, namespace), tuple(rest), kwargs, cls.type_name)


def _refuse(cls: type[Handle]) -> NoReturn:
    raise TypeError(f"{cls.__name__} needs a name, as the first argument of its constructor")
