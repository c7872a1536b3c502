from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictjson
from stagepass.errors import InputError


def read(text: str | bytes, *, max_bytes: int = 100_000, max_depth: int = 32) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return strictjson.loads(data, max_bytes=max_bytes, max_depth=max_depth)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ("[]", []),
        ("null", None),
        (' {"a" : [1, true, "x"]} \n', {"a": [1, True, "x"]}),
        ('{"a":{"b":1},"c":{"b":2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (r'{"\u0061":"\ud83d\ude00"}', {"a": "\U0001f600"}),
        ("1.0", 1.0),
        ("-0", 0),
        ("[9007199254740993]", [9007199254740993]),
        ("[18446744073709551615]", [18446744073709551615]),
        ("[18446744073709551616]", [18446744073709551616]),
        ("[-123456789012345678901234567890]", [-123456789012345678901234567890]),
    ],
)
def test_a_json_text_is_its_value_and_no_integer_loses_a_digit(text: str, value: Any) -> None:
    found = read(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"a":2}',
        '{"a": 1, "b": 2, "a": 3}',
        r'{"a":1,"\u0061":2}',
        r'{"\u0041":1,"A":2}',
        r'{"/":1,"\/":2}',
        '{"x":{"y":[{"a":1,"a":1}]}}',
        '{"":1,"":2}',
    ],
)
def test_a_key_stands_once_in_an_object_however_it_is_escaped(text: str) -> None:
    with pytest.raises(InputError, match="stands twice in one object"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        '{"a":NaN}',
        "[Infinity]",
        "[-Infinity]",
        "[1e400]",
        "[-1e400]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[0x10]",
        "[1,]",
        '{"a":1,}',
        "{a:1}",
        "{'a':1}",
        "[1] // c",
        "/* c */ [1]",
        "{} {}",
        "{}x",
        "{}\x00",
        "{}\x0b",
        "\x0b{}",
        '["\t"]',
        '["\x00"]',
        r'["\x41"]',
        r'["\ud800"]',
        r'["\udc00\ud800"]',
        b"\xef\xbb\xbf{}",
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        b'["\xc0\xaf"]',
        "[1]".encode("utf-16"),
        "[1]".encode("utf-16-le"),
        "[1]".encode("utf-32-be"),
        "[" * 20_000,
        "[" + "9" * 5_000 + "]",
    ],
)
def test_what_two_readers_could_read_differently_is_not_json(text: str | bytes) -> None:
    with pytest.raises(InputError):
        read(text)


def test_nesting_is_counted_in_objects_and_lists_and_the_cap_itself_is_allowed() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inside = "1" if opening != "[" else ""
        at_cap = opening * 8 + inside + closing * 8
        over = opening * 9 + inside + closing * 9
        assert read(at_cap, max_depth=8) is not None
        with pytest.raises(InputError, match="nested more than 8 levels deep"):
            read(over, max_depth=8)
        with pytest.raises(InputError, match="nested more than 8 levels deep"):
            read(f" {over}", max_depth=8)


@pytest.mark.parametrize("cap", [253, 254, 255, 500])
def test_a_cap_holds_also_beyond_what_orjson_writes(cap: int) -> None:
    """Up to 254 levels a text that orjson writes back is not counted again: at 255 it must refuse."""
    for opened, closed in (("[", "]"), ('{"k":', "}")):
        at_cap = f"{opened * (cap - 1)}[]{closed * (cap - 1)}"
        assert read(at_cap, max_depth=cap) is not None
        with pytest.raises(InputError, match=f"nested more than {cap} levels"):
            read(f"{opened}{at_cap}{closed}", max_depth=cap)


def test_size_is_bounded_before_anything_is_parsed() -> None:
    assert read("[1,2]", max_bytes=5) == [1, 2]
    with pytest.raises(InputError, match="6 bytes of JSON; at most 5 are read"):
        read("[1, 2]", max_bytes=5)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "a list"),
        ("null", "null"),
        ("true", "a boolean"),
        ('"x"', "a string"),
        ("1", "a number"),
    ],
)
def test_where_an_object_is_wanted_the_refusal_says_what_stood_there(text: str, what: str) -> None:
    with pytest.raises(InputError, match=f"a JSON object is wanted, this is {what}"):
        strictjson.loads_object(text.encode(), max_bytes=100, max_depth=4)
    assert strictjson.type_name({}) == "an object"


def test_what_is_written_is_compact_and_keeps_the_order_of_its_keys() -> None:
    assert (
        strictjson.dumps({"b": [1, None], "a": "\u00e9"}) == '{"b":[1,null],"a":"\u00e9"}'.encode()
    )
