from __future__ import annotations

from typing import Any

import pytest

from stagepass.manifests.compare import differences
from stagepass.manifests.difference import ABSENT, MAX_QUOTED, quoted
from tests.manifests.samples import RULE, deployment, put


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ABSENT, "absent"),
        (None, "null"),
        ("absent", '"absent"'),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        ({}, "{}"),
        ([], "[]"),
        (["a", 1], '["a",1]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
        ("a\nb\x1b[31m\x7f\u202e", '"a\\nb\\u001b[31m\\u007f\\u202e"'),
        ("\ud800", '"\\ud800"'),
        pytest.param(10**5000, "a number of 16610 bits", id="huge"),
        ([[[[[1]]]]], "[[[[[...]]]]]"),
        (list(range(20)), "[0,1,2,3,4,5,6,7,...]"),
    ],
)
def test_values_are_quoted_in_one_line(value: Any, text: str) -> None:
    assert quoted(value) == text


@pytest.mark.parametrize(
    "value", ["x" * 10**6, ["x" * 1000] * 1000, {"x" * 10**6: 1}, "\x00" * 100]
)
def test_what_is_long_is_cut(value: Any) -> None:
    assert len(quoted(value)) == MAX_QUOTED
    assert quoted(value).endswith("...")


def test_what_is_deep_is_cut() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]

    assert quoted(value) == "[[[[[...]]]]]"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("app", "metadata.labels[app]"),
        ("a.example/b", "metadata.labels[a.example/b]"),
        ("a]b\n", "metadata.labels[a\\u005db\\n]"),
        ("x" * 1000, f"metadata.labels[{'x' * 320}...]"),
    ],
)
def test_a_path_is_one_printable_line(key: str, path: str) -> None:
    live = deployment()
    live["metadata"]["labels"][key] = "evil"

    [found] = differences(deployment(), live, RULE)

    assert found.path == ("metadata.labels[app]" if key == "app" else path)


def test_a_member_that_is_no_name_stands_in_brackets() -> None:
    [found] = differences(
        deployment(), put(deployment(), "spec", {**deployment()["spec"], "a b": 1}), RULE
    )

    assert found.path == "spec[a b]"
    assert (found.got, found.want) == ("1", "absent")
