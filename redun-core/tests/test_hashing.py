import io
import json
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redun import bcoding
from redun.hashing import (
    bdecode,
    bencode,
    hash_argument,
    hash_arguments,
    hash_bytes,
    hash_call_node,
    hash_eval,
    hash_stream,
    hash_strings,
    hash_struct,
    hash_tag,
    hash_tag_bytes,
    hash_text,
    hash_value_bytes,
)
from redun.values.registry import get_type_registry

EMPTY = "cf83e1357eefb8bdf1542850d66d8007d620e405"

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
hashes = st.text("0123456789abcdef", min_size=40, max_size=40)
structs = st.recursive(
    st.integers() | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
few = settings(max_examples=50, deadline=None)


def as_decoded(struct):
    """What bencode keeps of a structure: text becomes bytes."""
    if isinstance(struct, str):
        return struct.encode()
    if isinstance(struct, dict):
        return {key.encode(): as_decoded(item) for key, item in struct.items()}
    return [as_decoded(item) for item in struct] if isinstance(struct, list) else struct


def get_value_hashes(args, kwargs):
    encode = get_type_registry().encode
    return [encode(arg).value_hash for arg in args], {key: encode(arg).value_hash for key, arg in kwargs.items()}


def test_bencode_agrees_with_the_golden_vector():
    """Integers, text, bytes, mappings and iterables have the encoding that existing stores were built with."""
    struct = ["a", 1, -3, {"b": "é", "a": [b"\xff"]}, ()]

    encoded = bencode(struct)

    assert encoded == b"l1:ai1ei-3ed1:al1:\xffe1:b2:\xc3\xa9elee"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"i0e"),
        (-(10**30), b"i-1000000000000000000000000000000e"),
        ("", b"0:"),
        (b"\x00", b"1:\x00"),
        ({}, b"de"),
        ({b"b": 1, b"a": 2}, b"d1:ai2e1:bi1ee"),
        ((item for item in "ab"), b"l1:a1:be"),
        ({"only"}, b"l4:onlye"),
    ],
)
def test_bencode_has_one_form_for_each_kind(value, encoded):
    """Each kind of value has one form; keys are sorted, and any iterable is a list."""
    assert bencode(value) == encoded


@pytest.mark.parametrize("value", [None, True, False, 1.5, object(), [None], {"a": 1.0}, {"a": True}])
def test_bencode_refuses_what_it_has_no_form_for(value):
    """What bencode has no form for is a TypeError that names the type."""
    with pytest.raises(TypeError, match=r"bencode has no form for (NoneType|bool|float|object)"):
        bencode(value)


@pytest.mark.parametrize("mapping", [{1: "a"}, {None: 1}, {("a",): 1}], ids=repr)
def test_bencode_refuses_keys_that_are_no_text(mapping):
    """A key of a mapping is text or bytes."""
    with pytest.raises(TypeError, match="bencode needs text or bytes as keys"):
        bencode(mapping)


@few
@given(structs)
def test_bdecode_reverses_bencode(struct):
    """What was encoded comes back, text as bytes."""
    assert bdecode(bencode(struct)) == as_decoded(struct)


@few
@given(structs, st.data())
def test_bdecode_refuses_every_truncation(struct, data):
    """No true prefix of an encoded value is an encoded value."""
    encoded = bencode(struct)
    end = data.draw(st.integers(0, len(encoded) - 1))

    with pytest.raises(ValueError):
        bdecode(encoded[:end])


@few
@given(structs, st.binary(min_size=1, max_size=5))
def test_bdecode_refuses_what_follows_the_value(struct, rest):
    """Bytes after the end of the value are an error that says how many."""
    with pytest.raises(ValueError, match=f"^{len(rest)} bytes follow the end"):
        bdecode(bencode(struct) + rest)


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"ie", b"i5", b"iae", b"5:ab", b":", b"l", b"d", b"di1e", b"e", b"d1:ae", b"l" * 100_000, b"-1:"],
    ids=lambda data: repr(data[:8]),
)
def test_bdecode_refuses_malformed_data(data):
    """Bytes that are no bencode are a ValueError, however they are wrong."""
    with pytest.raises(ValueError):
        bdecode(data)


@pytest.mark.parametrize("data", [b"5:ab", b"l5:ab", b"l", b"d1:a", b"li1e"])
def test_bdecode_says_when_data_is_truncated(data):
    """Data that ends too early is called truncated."""
    with pytest.raises(ValueError, match="truncated bencode"):
        bdecode(data)


@pytest.mark.parametrize("data", [b"i 5 e", b"i1_0e", b"i+5e", b"i-0e", b"i03e", b"+1:a", b" 1:a", b"0_1:a", b"01:a"])
def test_bdecode_refuses_numbers_that_bencode_never_writes(data):
    """Every value has one encoding, so numbers with signs, spaces, underscores or leading zeros are malformed."""
    with pytest.raises(ValueError):
        bdecode(data)


def test_bdecode_refuses_keys_that_are_lists():
    """A dict whose key is a list is malformed data, hence a ValueError."""
    with pytest.raises(ValueError):
        bdecode(b"dlei1ee")


def test_bdecode_refuses_keys_that_are_integers():
    """A dict whose key is an integer is malformed data, for bencode writes only text keys."""
    with pytest.raises(ValueError):
        bdecode(b"di1ei2ee")


def test_bdecode_refuses_negative_lengths():
    """A negative length is malformed; it never makes the reader go back and read the same bytes again."""
    calls = []

    def stop_after_many_calls(frame, event, _):
        calls.append(event)
        if len(calls) > 1_000:
            raise RuntimeError("bdecode does not end")

    sys.setprofile(stop_after_many_calls)
    try:
        with pytest.raises(ValueError):
            bdecode(b"l-3:e")
    finally:
        sys.setprofile(None)


def test_bcoding_is_the_same_codec_under_the_name_that_workflows_import():
    """`redun.bcoding` offers the functions of `redun.hashing`."""
    assert (bcoding.bencode, bcoding.bdecode) == (bencode, bdecode)


def test_hash_struct_agrees_with_the_golden_vector():
    """The address of a structure is that of its bencode."""
    assert hash_struct(["a", 1, {"b": "c"}]) == "d54edcdddac51d770d2f318631627810708d6c95"


@pytest.mark.parametrize("digest", [hash_text(""), hash_bytes(b""), hash_stream(io.BytesIO())])
def test_hashes_of_nothing_agree_with_the_golden_vector(digest):
    """Text, bytes and streams are hashed alike, to the first 40 hexadecimal digits of SHA-512."""
    assert digest == EMPTY


@few
@given(texts)
def test_text_is_hashed_as_utf8(text):
    """The address of a text is that of its UTF-8."""
    assert hash_text(text) == hash_bytes(text.encode())


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
def test_streams_are_hashed_by_all_that_is_left_in_them(size):
    """The address of a stream is that of the bytes from its position on, whatever the size of blocks."""
    data = bytes(index % 251 for index in range(size))
    stream = io.BytesIO(b"skipped" + data)
    stream.seek(7)

    assert hash_stream(stream) == hash_bytes(data)


@few
@given(texts, st.binary(max_size=50))
def test_tagged_bytes_are_hashed_behind_the_bencoded_tag(tag, data):
    """The tag of some bytes is a bencoded list in front of them; values that are pickled have the tag ``Value``."""
    assert hash_tag_bytes(tag, data) == hash_bytes(bencode([tag]) + data)
    assert hash_value_bytes(data) == hash_tag_bytes("Value", data)


@few
@given(st.lists(texts, max_size=6))
def test_hash_strings_is_hash_struct_of_any_texts(items):
    """The template for lists of texts gives the address of the structure, for any alphabet."""
    assert hash_strings(*items) == hash_struct(items)


@few
@given(st.lists(hashes, max_size=5), st.dictionaries(texts, hashes, max_size=5))
def test_hash_arguments_is_its_structs_hash(positional, keyword):
    """The template for arguments gives the address of the structure, for keywords of any alphabet and order."""
    assert hash_arguments(positional, keyword) == hash_struct(["TaskArguments", positional, keyword])


@few
@given(hashes, hashes, hashes, st.lists(hashes, max_size=5))
def test_hash_eval_and_hash_call_node_are_their_structs_hashes(task_hash, args_hash, result_hash, children):
    """The templates for evaluations and call nodes give the addresses of the structures, children sorted."""
    evaluation = ["Eval", task_hash, args_hash]
    call_node = ["CallNode", task_hash, args_hash, result_hash, sorted(children)]

    assert hash_eval(task_hash, args_hash) == hash_struct(evaluation)
    assert hash_call_node(task_hash, args_hash, result_hash, children) == hash_struct(call_node)


@few
@given(hashes, st.none() | st.integers(0, 300), st.none() | texts, hashes)
@example("a" * 40, 0, None, "b" * 40)
def test_hash_argument_is_its_structs_hash(call_hash, position, key, value_hash):
    """The template for one argument gives the address of the structure; an absent part is the text ``None``."""
    struct = ["Argument", call_hash, str(position), str(key), value_hash]

    assert hash_argument(call_hash, position, key, value_hash) == hash_struct(struct)


@few
@given(texts, texts, st.dictionaries(texts, st.none() | st.booleans() | texts), st.lists(texts, max_size=3))
def test_hash_tag_is_its_structs_hash(entity_id, key, value, parents):
    """A tag is addressed by its compact JSON with sorted keys, and by its parents in any order."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)

    assert hash_tag(entity_id, key, value, parents) == hash_struct(["Tag", entity_id, key, text, sorted(parents)])


@pytest.mark.parametrize(
    ("templated", "struct"),
    [
        (hash_eval("é", "a"), ["Eval", "é", "a"]),
        (hash_eval("é" * 40, "a" * 40), ["Eval", "é" * 40, "a" * 40]),
        (hash_eval("a" * 41, "a" * 39), ["Eval", "a" * 41, "a" * 39]),
        (hash_call_node("é" * 40, "a" * 40, "r" * 40, []), ["CallNode", "é" * 40, "a" * 40, "r" * 40, []]),
        (hash_call_node("t" * 41, "a" * 39, "r" * 40, []), ["CallNode", "t" * 41, "a" * 39, "r" * 40, []]),
        (hash_arguments(["é"], {}), ["TaskArguments", ["é"], {}]),
        (hash_arguments([], {"k": "é"}), ["TaskArguments", [], {"k": "é"}]),
        (hash_call_node("é", "a", "r", ["ü"]), ["CallNode", "é", "a", "r", ["ü"]]),
        (hash_argument("c", 0, None, "é"), ["Argument", "c", "0", "None", "é"]),
    ],
)
def test_templates_count_bytes_also_of_hashes_that_users_choose(templated, struct):
    """A value's `get_hash` and a task's ``compat`` may be any text; the templates encode it as bencode does."""
    assert templated == hash_struct(struct)


def test_args_hash_agrees_with_the_golden_vector():
    """Arguments are addressed by the addresses of their values, by position and by name."""
    positional, keyword = get_value_hashes((1,), {"b": 2})

    assert hash_arguments(positional, keyword) == "16230118d6fc2c5f6345a6fad065b1423764b81d"


def test_eval_hash_agrees_with_the_golden_vector():
    """The key of the cache is made of a task's address and its arguments'."""
    args_hash = hash_arguments(*get_value_hashes((1,), {"b": 2}))

    assert hash_eval("a" * 40, args_hash) == "7aaad64d31f4fc2efbee981f545275cddcbe79f2"


@pytest.mark.parametrize("children", [["c" * 40, "b" * 40], ["b" * 40, "c" * 40]])
def test_call_hash_agrees_with_the_golden_vector(children):
    """A call node is addressed by its task, arguments, result and children, whatever their order."""
    call_hash = hash_call_node("t" * 40, "a" * 40, "r" * 40, children)

    assert call_hash == "452f35d7a74a9f754105f96ebe13d4a96050038f"


def test_call_hash_counts_repeated_children():
    """Two equal children differ from one."""
    once, twice = (hash_call_node("t", "a", "r", ["b"] * count) for count in (1, 2))

    assert once != twice


def test_tag_hash_agrees_with_the_golden_vector():
    """A tag is addressed by its entity, key, value as JSON, and parents."""
    tag_hash = hash_tag("e" * 40, "k", {"b": 1, "a": [None, True]}, [])

    assert tag_hash == "17d1551b5aeb0b3ccdc2e7b928a206df43ec9635"
