from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from stagepass import canonical
from stagepass.errors import InputError


class Colour(Enum):
    RED = 1


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        (None, "null"),
        ("", '""'),
        ({"b": [True, False, None], "a": {"d": 1, "c": -1}}, None),
        ({"b": 1, "a": 2, "B": 3, "": 4, "10": 5, "9": 6}, '{"":4,"10":5,"9":6,"B":3,"a":2,"b":1}'),
        # floats, as ECMAScript writes them
        (1.0, "1"),
        (-0.0, "0"),
        ([0.1, 1.5, -2.50], "[0.1,1.5,-2.5]"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (333333333.33333329, "333333333.3333333"),
        (9007199254740992.0, "9007199254740992"),
        ({"a": [{"b": 1.0}]}, '{"a":[{"b":1}]}'),
        # keys in the order of UTF-16: the RFC's own example, and a pair before the private area
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
        ({"\ue000": 1, "\U0010ffff": 2, "\u20ac": 3}, '{"\u20ac":3,"\U0010ffff":2,"\ue000":1}'),
        # strings: the short escapes, the other controls in lower case, nothing else
        ('\b\t\n\f\r"\\/', '"\\b\\t\\n\\f\\r\\"\\\\/"'),
        ("\0\x1f\x7f\x80", '"\\u0000\\u001f\x7f\x80"'),
        ("\u20ac\u2028\U0001f600<>&'", '"\u20ac\u2028\U0001f600<>&\'"'),
        ("e\u0301", '"e\u0301"'),  # never normalised
        ([2**53 - 1, -(2**53) + 1], "[9007199254740991,-9007199254740991]"),
        (nested(200), "[" * 200 + "]" * 200),
        (nested(300), "[" * 300 + "]" * 300),  # orjson gives up at 254
    ],
)
def test_a_value_has_one_spelling(value: Any, text: str | None) -> None:
    written = text or '{"a":{"c":-1,"d":1},"b":[true,false,null]}'

    assert canonical.dumps(value) == written.encode()
    assert json.loads(written) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan"),
        ({"a": [float("nan")]}, "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "inf"),
        (2**53, "exceeds safe integer domain"),
        (-(2**53), "exceeds safe integer domain"),
        ({"a": [2**64]}, "exceeds safe integer domain"),
        ("\ud800", "non-UTF-8"),
        ({"a": "\udfff"}, "non-UTF-8"),
        ({"\ud800": 1}, "surrogates not allowed"),
        ({1: "a"}, "keys must be strings"),
        ({None: "a"}, "keys must be strings"),
        ({"a": {b"b": 1}}, "keys must be strings"),
        (b"a", "unsupported type"),
        ({1, 2}, "unsupported type"),
        # orjson alone would write these
        (datetime(2026, 11, 2, tzinfo=UTC), "unsupported type"),
        (UUID(int=1), "unsupported type"),
        ([Colour.RED], "unsupported type"),
        (nested(100_000), "nested too deeply"),
    ],
)
def test_what_has_no_spelling_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        canonical.dumps(value)


def test_an_integer_too_long_to_print_is_refused() -> None:
    with pytest.raises(InputError, match="no canonical JSON"):
        canonical.dumps(10**5_000)


_TEXTS = st.text() | st.text('abc\u20ac\ue000\uffff\U0001f600\U0010ffff\0\x1f\x7f"\\/', max_size=4)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=10,
)
_WITHOUT_FLOATS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), inner, max_size=5)
    ),
    max_leaves=10,
)


@settings(deadline=None, max_examples=150)
@given(_JSON | _WITHOUT_FLOATS)
def test_it_is_the_rfc_whoever_writes_it(value: Any) -> None:
    written = canonical.dumps(value)

    assert written == rfc8785.dumps(value)
    # Integers as doubles, as the RFC reads them: 1e16 is written as an integer that is none of ours.
    assert json.loads(written, parse_int=float) == value
    assert canonical.dumps(json.loads(written, parse_int=float)) == written


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(_TEXTS, _JSON, min_size=2, max_size=5), st.randoms())
def test_the_order_of_keys_leaves_no_trace(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)

    assert canonical.dumps({key: value[key] for key in keys}) == canonical.dumps(value)


@settings(deadline=None, max_examples=100)
@given(
    st.recursive(
        st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.text(st.characters(exclude_categories=()), max_size=3), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_both_refuse_the_same(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(InputError):
            canonical.dumps(value)
    else:
        assert canonical.dumps(value) == expected
