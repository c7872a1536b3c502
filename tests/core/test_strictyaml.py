from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictyaml
from stagepass.errors import InputError


def read(text: str, *, anchors: bool = False) -> Any:
    (document,) = strictyaml.load_all(text, where="file.yaml", anchors=anchors)
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", "y"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("0o14", "0o14"),
        ("0777", "0777"),
        ("0x1f", "0x1f"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("1e3", 1000.0),
        ("-1.5E+2", -150.0),
        (".5", 0.5),
        ("2026-11-02", "2026-11-02"),
        ("2026-11-02T08:05:03Z", "2026-11-02T08:05:03Z"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("9999999999999999999", 9999999999999999999),
        ("-e5", "-e5"),
        ("+e1", "+e1"),
        ("e1", "e1"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"\\u0061"', "a"),
        ("=", "="),
    ],
)
def test_a_plain_scalar_means_what_the_core_schema_says_and_other_spellings_stay_text(
    text: str, value: Any
) -> None:
    """YAML 1.1 readers make 90 of `1:30`, a date of `2026-11-02` and True of `y`."""
    found = read(f"a: {text}")["a"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("key", ["on", "y", "n", "yes", "'1'", '"true"', "2026-11-02", "0777"])
def test_a_key_is_the_text_that_is_written(key: str) -> None:
    assert read(f"{key}: 1") == {key.strip("'\""): 1}


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "? [a]\n", "? {a: b}\n"])
def test_a_key_that_is_no_text_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="is not text; put it in quotes"):
        read(f"{key}: x")


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2", "a: 1\n'a': 2", '"\\u0061": 1\na: 2', "{a: 1, a: 1}", "b:\n  - {a: 1, a: 2}"],
)
def test_a_key_stands_once_in_a_mapping(text: str) -> None:
    with pytest.raises(InputError, match=r"file\.yaml: line \d: the key 'a' stands twice"):
        read(text)


@pytest.mark.parametrize("anchors", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "!!str 12",
        "!!str twelve",
        "!!int '12'",
        "!!int 0x10",
        "!!float nan",
        "!!bool yes",
        "!!null x",
        "!!binary aGk=",
        "!!timestamp 2026-11-02",
        "!!set {x}",
        "!!omap [a: 1]",
        "!!map {a: 1}",
        "!!seq [1]",
        "!local 1",
        "!<tag:yaml.org,2002:int> 3",
        "!!python/object/apply:os.getcwd []",
    ],
)
def test_a_tag_in_the_text_is_refused(text: str, anchors: bool) -> None:
    """`!!bool yes` is true to one reader and false to the next."""
    with pytest.raises(InputError, match=r"file\.yaml: line 2: the tag '.*' is not allowed"):
        read(f"a: 1\nb: {text}", anchors=anchors)


def test_a_tag_under_another_prefix_is_refused_too() -> None:
    with pytest.raises(InputError, match="is not allowed"):
        read('%TAG ! tag:yaml.org,2002:\n---\na: !int "3"')


@pytest.mark.parametrize("anchors", [False, True])
@pytest.mark.parametrize("text", ["<<: {a: 1}", "x: &x {a: 1}\ny: {<<: *x, b: 2}", "<<: [{a: 1}]"])
def test_merge_keys_are_refused_because_readers_differ_on_them(text: str, anchors: bool) -> None:
    """The API server's reader merges them; one that does not would miss a container."""
    with pytest.raises(InputError, match=r"merge keys are not allowed|anchors are not allowed"):
        read(text, anchors=anchors)


def test_a_quoted_key_of_two_angle_brackets_is_only_a_key() -> None:
    assert read('"<<": {a: 1}') == {"<<": {"a": 1}}


def test_anchors_are_refused_in_policy_files_and_read_in_manifests() -> None:
    text = "a: &x {b: 1}\nc: *x"

    with pytest.raises(InputError, match="anchors are not allowed here; write the value out"):
        read(text)
    assert read(text, anchors=True) == {"a": {"b": 1}, "c": {"b": 1}}


def test_the_expanded_size_of_anchors_is_bounded() -> None:
    """CVE-2019-11253: nine levels of nine aliases are 387 million nodes."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]

    with pytest.raises(InputError, match="over 200000 nodes or 64 levels once expanded"):
        read("\n".join(lines), anchors=True)


@pytest.mark.parametrize(
    "text", ["&a [*a]", "a: &a {b: *a}", "[" * 66 + "]" * 66, "[" * 100_000, "- " * 5_000 + "x"]
)
def test_nesting_without_a_bottom_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read(text, anchors=True)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: *missing",
        "\ta: 1",
        "a: \x07",
        'a: "\\ud800"',
        "a: 1e999",
        "a: b: c",
        "a: '",
        "@a: 1",
        "%YAML 3.0\n---\na: 1",
    ],
)
def test_what_is_not_yaml_is_refused_with_the_file_that_holds_it(text: str) -> None:
    with pytest.raises(InputError, match=r"^file\.yaml: "):
        read(text)


def test_a_file_may_hold_several_documents_and_empty_ones() -> None:
    documents = strictyaml.load_all("a: 1\n---\n---\n[b]\n...\n", where="f")

    assert list(documents) == [{"a": 1}, None, ["b"]]
    assert list(strictyaml.load_all("", where="f")) == []


def test_size_is_bounded_before_anything_is_parsed() -> None:
    with pytest.raises(InputError, match="at most 4194304 are read"):
        read("#" * (strictyaml.MAX_BYTES + 1))


def test_an_error_says_the_line_and_what_to_write_instead() -> None:
    with pytest.raises(InputError) as caught:
        read("a: 1\n\n1: b")

    assert str(caught.value) == "file.yaml: line 3: the key 1 is not text; put it in quotes"
