"""Content addresses: bencode, truncated SHA-512, and the formulas of the Merkle graph built on them.

Every address is the first 40 hexadecimal characters of a SHA-512 digest. A *struct* hash digests the bencode of a small
list of strings, integers, lists and dicts. The formulas on the hot path (arguments, evaluations, call nodes) fill
templates of that bencode instead of walking a structure, as long as everything is ASCII, where characters are bytes;
their results are the same and a test holds them together.

The encoding is BitTorrent's (BEP 3), except that any iterable is a list and that text is encoded as UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha512
from typing import IO, Any

HASH_LENGTH = 40
_INTEGER = re.compile(rb"i(0|-?[1-9][0-9]*)e")
_LENGTH = re.compile(rb"(0|[1-9][0-9]*):")
_BLOCK_SIZE = 1024
_MAX_JOINED = 65_536


def bencode(value: Any) -> bytes:
    """Encode integers, text, bytes, mappings and iterables as bencode.

    Parameters
    ----------
    value
        An ``int``, ``str``, ``bytes``, mapping with text or bytes keys, or an iterable of such values. Text and bytes
        of the same content encode alike.

    Raises
    ------
    TypeError
        For ``None``, booleans, floats and everything else that bencode has no form for.

    Examples
    --------
    >>> bencode(["a", 1, {"k": b"v"}])
    b'l1:ai1ed1:k1:vee'
    """
    parts: list[bytes] = []
    _encode_into(value, parts)
    return b"".join(parts)


def _encode_into(value: Any, parts: list[bytes]) -> None:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        parts.append(b"%d:%s" % (len(value), value))
    elif isinstance(value, int) and not isinstance(value, bool):
        parts.append(b"i%de" % value)
    elif isinstance(value, Mapping):
        parts.append(b"d")
        for key in sorted(value):
            if not isinstance(key, str | bytes):
                raise TypeError(f"bencode needs text or bytes as keys of a mapping, not {type(key).__name__}")
            _encode_into(key, parts)
            _encode_into(value[key], parts)
        parts.append(b"e")
    elif isinstance(value, Iterable):
        parts.append(b"l")
        for item in value:
            _encode_into(item, parts)
        parts.append(b"e")
    else:
        raise TypeError(f"bencode has no form for {type(value).__name__}: {value!r}")


def bdecode(data: bytes) -> Any:
    """Decode bencode; strings come back as bytes.

    Raises
    ------
    ValueError
        When `data` is not exactly one bencoded value.

    Examples
    --------
    >>> bdecode(b"l1:ai1ed1:k1:vee")
    [b'a', 1, {b'k': b'v'}]
    """
    try:
        value, end = _decode_at(data, 0)
    except RecursionError as error:
        raise ValueError("the bencoded value is nested too deep") from error
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes follow the end of the bencoded value")
    return value


def _decode_at(data: bytes, start: int) -> tuple[Any, int]:
    mark = data[start : start + 1]
    if mark in (b"l", b"d"):
        items: list[Any] = []
        at = start + 1
        while data[at : at + 1] != b"e":
            item, at = _decode_at(data, at)
            items.append(item)
        return (items if mark == b"l" else _pair_up(items)), at + 1
    match = _INTEGER.match(data, start)
    if match:
        return int(match.group(1)), match.end()
    match = _LENGTH.match(data, start)
    if match is None:
        raise ValueError(f"no bencoded value at byte {start}" if start < len(data) else "truncated bencode")
    end = match.end() + int(match.group(1))
    if end > len(data):
        raise ValueError("truncated bencode")
    return data[match.end() : end], end


def _pair_up(items: Sequence[Any]) -> dict[bytes, Any]:
    keys, values = items[::2], items[1::2]
    if len(keys) != len(values) or not all(isinstance(key, bytes) for key in keys):
        raise ValueError("a bencoded mapping must have text as keys, and a value for each")
    return dict(zip(keys, values, strict=True))


def hash_bytes(data: bytes) -> str:
    """Return the address of some bytes: 40 hexadecimal characters of SHA-512."""
    return sha512(data).hexdigest()[:HASH_LENGTH]


def hash_text(text: str) -> str:
    """Return the address of a text in UTF-8."""
    return sha512(text.encode()).hexdigest()[:HASH_LENGTH]


def hash_struct(struct: Any) -> str:
    """Return the address of a structure of integers, text, bytes, lists and dicts.

    Examples
    --------
    >>> hash_struct(["a", 1, {"b": "c"}])
    'd54edcdddac51d770d2f318631627810708d6c95'
    """
    return hash_bytes(bencode(struct))


def hash_tag_bytes(tag: str, data: bytes) -> str:
    """Return the address of bytes in the domain of a tag, so that equal bytes of two kinds differ."""
    return _hash_in_domain(bencode([tag]), data)


def hash_stream(stream: IO[bytes]) -> str:
    """Return the address of what is left in a binary stream, read block by block."""
    digest = sha512()
    while block := stream.read(_BLOCK_SIZE):
        digest.update(block)
    return digest.hexdigest()[:HASH_LENGTH]


def hash_strings(*texts: str) -> str:
    """Return `hash_struct` of a list of texts.

    Examples
    --------
    >>> hash_strings("a", "b") == hash_struct(["a", "b"])
    True
    """
    return sha512(f"l{''.join(map(_item, texts))}e".encode()).hexdigest()[:HASH_LENGTH]


def _item(text: str) -> str:
    return f"{len(text) if text.isascii() else len(text.encode())}:{text}"


def hash_value_bytes(data: bytes) -> str:
    """Return the address of a value that is identified by its pickle."""
    if len(data) > _MAX_JOINED:
        return _hash_in_domain(b"l5:Valuee", data)
    return sha512(b"l5:Valuee" + data).hexdigest()[:HASH_LENGTH]


def _hash_in_domain(domain: bytes, data: bytes) -> str:
    """Hash bytes behind those that say what they are, without a copy of either."""
    digest = sha512(domain)
    digest.update(data)
    return digest.hexdigest()[:HASH_LENGTH]


def hash_task_expression(task_name: str, args_hash: str, options_hash: str) -> str:
    """Return the address of the application of a task to arguments with options, as an expression."""
    filled = (
        f"l14:TaskExpression{len(task_name)}:{task_name}{len(args_hash)}:{args_hash}{len(options_hash)}:{options_hash}e"
    )
    if not filled.isascii():
        return hash_struct(["TaskExpression", task_name, args_hash, options_hash])
    return sha512(filled.encode()).hexdigest()[:HASH_LENGTH]


def hash_arguments(positional: Sequence[str], keyword: Mapping[str, str]) -> str:
    """Return the address of a call's arguments, given the addresses of their values.

    Examples
    --------
    >>> hash_arguments([], {}) == hash_struct(["TaskArguments", [], {}])
    True
    """
    if len(positional) == 1:  # The commonest case, for a third of the time.
        body = f"{len(positional[0])}:{positional[0]}"
    else:
        body = "".join([f"{len(value)}:{value}" for value in positional])
    pairs = ""
    if keyword:
        pairs = "".join([f"{len(key)}:{key}{len(keyword[key])}:{keyword[key]}" for key in sorted(keyword)])
    filled = f"l13:TaskArgumentsl{body}ed{pairs}ee"
    if not filled.isascii():
        return hash_struct(["TaskArguments", positional, keyword])
    return sha512(filled.encode()).hexdigest()[:HASH_LENGTH]


def hash_eval(task_hash: str, args_hash: str) -> str:
    """Return the address of applying a task to arguments: the key of the cache."""
    if len(task_hash) == len(args_hash) == HASH_LENGTH:
        filled = f"l4:Eval40:{task_hash}40:{args_hash}e"
    else:
        filled = f"l4:Eval{len(task_hash)}:{task_hash}{len(args_hash)}:{args_hash}e"
    if not filled.isascii():
        return hash_struct(["Eval", task_hash, args_hash])
    return sha512(filled.encode()).hexdigest()[:HASH_LENGTH]


def hash_call_node(task_hash: str, args_hash: str, result_hash: str, child_call_hashes: Sequence[str]) -> str:
    """Return the address of a finished call; the order of its children does not matter, their number does."""
    children = sorted(child_call_hashes) if child_call_hashes else ()
    listed = "".join([f"{len(child)}:{child}" for child in children]) if children else ""
    if len(task_hash) == len(args_hash) == len(result_hash) == HASH_LENGTH:
        filled = f"l8:CallNode40:{task_hash}40:{args_hash}40:{result_hash}l{listed}ee"
    else:
        filled = (
            f"l8:CallNode{len(task_hash)}:{task_hash}{len(args_hash)}:{args_hash}"
            f"{len(result_hash)}:{result_hash}l{listed}ee"
        )
    if not filled.isascii():
        return hash_struct(["CallNode", task_hash, args_hash, result_hash, children])
    return sha512(filled.encode()).hexdigest()[:HASH_LENGTH]


def hash_argument(call_hash: str, position: int | None, key: str | None, value_hash: str) -> str:
    """Return the address of one argument of a call; the part that it lacks counts as the text ``None``."""
    at, name = str(position), str(key)
    place = f"{len(at)}:{at}{len(name)}:{name}"
    filled = f"l8:Argument{len(call_hash)}:{call_hash}{place}{len(value_hash)}:{value_hash}e"
    if not filled.isascii():
        return hash_struct(["Argument", call_hash, str(position), str(key), value_hash])
    return sha512(filled.encode()).hexdigest()[:HASH_LENGTH]


def hash_tag(entity_id: str, key: str, value: Any, parents: Sequence[str]) -> str:
    """Return the address of a tag: a JSON value under a key on an entity, superseding its parents."""
    return hash_struct(["Tag", entity_id, key, json_dumps(value), sorted(parents)])


def json_dumps(value: Any) -> str:
    """Return a value as the one JSON text by which it is hashed and stored: compact, and keys sorted.

    Examples
    --------
    >>> json_dumps({"b": [1, None], "a": True})
    '{"a":true,"b":[1,null]}'
    """
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
