"""Patterns of identities: what they match, and when two of them could match the same certificate."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.errors import InputError
from stagepass.identity import Certified, Glob, Identity, Kind
from tests.property.worlds import LAW

PARTS = st.sampled_from(["a", "b", "/", "@", "*", "**"])
PATTERNS = (
    st.lists(PARTS, min_size=1, max_size=4)
    .map("".join)
    .filter(lambda text: "***" not in text)
    .map(Glob.parse)
)
TEXTS = st.text("ab/@", min_size=0, max_size=8)
EVERY_SHORT_TEXT = ["".join(t) for n in range(1, 7) for t in product("a/@", repeat=n)]
SHORT = (
    st.lists(st.sampled_from(["a", "/", "@", "*", "**"]), min_size=1, max_size=3)
    .map("".join)
    .filter(lambda text: "***" not in text)
    .map(Glob.parse)
)
CLAIMS = st.dictionaries(st.sampled_from(["ref", "runner"]), PATTERNS, max_size=2)
ROOTS = st.none() | st.frozensets(st.sampled_from(["old", "new"]), min_size=1)
ISSUERS = st.sampled_from(["https://one.example", "https://two.example"])
IDENTITIES = st.builds(Identity, ISSUERS, PATTERNS, CLAIMS, ROOTS)
CERTIFIED = st.builds(
    Certified,
    ISSUERS,
    TEXTS,
    st.dictionaries(st.sampled_from(["ref", "runner"]), TEXTS, max_size=2),
    st.frozensets(st.sampled_from(["old", "new"]), min_size=1, max_size=1),
    st.sampled_from(Kind),
)
"""Under one root: two that share an authority are taken for one when a set is loaded."""


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("main", "main", True),
        ("main", "Main", False),
        ("main", "main ", False),
        ("refs/heads/*", "refs/heads/main", True),
        ("refs/heads/*", "refs/heads/", False),
        ("refs/heads/*", "refs/heads/a/b", False),
        ("refs/heads/*", "refs/heads/a@b", False),
        ("refs/heads/**", "refs/heads/a/b@c", True),
        ("refs/heads/**", "refs/heads/", False),
        ("*", "", False),
        ("**", "", False),
        ("**", "anything\nat all", True),
        ("*@example.com", "carol@example.com", True),
        ("*@example.com", "carol@example.com.evil", False),
        ("*@example.com", "x/carol@example.com", False),
        ("*@example.com", "carolxexample.com", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("a?c", "abc", False),
        ("a/**@refs/heads/main", "a/b/c.yml@refs/heads/main", True),
        ("a/**@refs/heads/main", "a/evil.yml@refs/heads/pwn@refs/heads/main", False),
        ("a/**@refs/heads/**", "a/b.yml@refs/heads/x@y", True),
        ("a@**@b", "a@x@y@b", False),
        ("*", "*", True),
        ("**", "*@*", True),
        ("a*", "a**", True),
    ],
)
def test_a_pattern_is_anchored_and_its_stars_are_never_empty(
    pattern: str, text: str, matches: bool
) -> None:
    assert Glob.parse(pattern).matches(text) is matches


@pytest.mark.parametrize("text", ["***", "a****b", "**/***"])
def test_three_stars_mean_nothing(text: str) -> None:
    with pytest.raises(InputError, match="three stars in a row"):
        Glob.parse(text)


@LAW
@given(PATTERNS, TEXTS)
def test_it_matches_what_the_regular_expression_does(pattern: Glob, text: str) -> None:
    """An oracle of its own: slower on hostile patterns, and right."""
    expected = ""
    for found in re.finditer(r"\*\*|.", pattern.text):
        open_ = "[^@]+" if "@" in pattern.text[found.end() :] else ".+"
        words = {"*": "[^/@]+", "**": open_}
        expected += words.get(found[0], re.escape(found[0]))

    assert pattern.matches(text) is bool(re.fullmatch(expected, text, re.DOTALL))


@LAW
@given(PATTERNS, PATTERNS)
def test_overlap_is_symmetric(one: Glob, other: Glob) -> None:
    assert one.overlaps(other) is other.overlaps(one)


@LAW
@given(PATTERNS)
def test_a_pattern_overlaps_itself_and_the_example_it_gives(pattern: Glob) -> None:
    assert pattern.overlaps(pattern)
    assert pattern.matches(pattern.example())
    assert pattern.overlaps(Glob(pattern.example()))


@LAW
@given(PATTERNS, PATTERNS, TEXTS)
def test_what_both_match_is_an_overlap(one: Glob, other: Glob, text: str) -> None:
    if one.matches(text) and other.matches(text):
        assert one.overlaps(other)


@LAW
@given(SHORT, SHORT)
def test_there_is_an_overlap_exactly_where_some_text_matches_both(one: Glob, other: Glob) -> None:
    """Patterns of three parts that share a text share one of six characters."""
    shared = any(one.matches(text) and other.matches(text) for text in EVERY_SHORT_TEXT)

    assert one.overlaps(other) is shared


@LAW
@given(PATTERNS, PATTERNS, TEXTS)
def test_a_pattern_that_covers_another_matches_all_that_it_does(
    one: Glob, other: Glob, text: str
) -> None:
    if one.covers(other) and other.matches(text):
        assert one.matches(text)


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("**", "a/*@b", True),
        ("a/**", "a/*/b@c/**", True),
        ("a/*", "a/*", True),
        ("a/**@x", "a/**@x", True),
        ("a/**@x", "a/b/*@x", True),
        ("a/*", "a/b", True),
        ("a/*", "a/**", False),
        ("*/*", "**", False),
        ("a/**@x", "a/**", False),
        ("a/b", "a/*", False),
        ("xx*", "*", False),
    ],
)
def test_which_patterns_cover_which(one: str, other: str, covers: bool) -> None:
    assert Glob.parse(one).covers(Glob.parse(other)) is covers


@LAW
@given(IDENTITIES, IDENTITIES, CERTIFIED)
def test_identities_that_name_one_certificate_overlap(
    one: Identity, other: Identity, certified: Certified
) -> None:
    assert one.overlaps(other) is other.overlaps(one)
    if one.matches(certified) and other.matches(certified):
        assert one.overlaps(other)


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("https://github.com/acme/*@refs/heads/*", Kind.URI),
        ("spiffe://acme!x/**", Kind.URI),
        ("*@example.com", Kind.EMAIL),
        ("**!x@example.com", Kind.EMAIL),
        ("*!example.com", Kind.USER),
        ("carol", None),
        ("**", None),
    ],
)
def test_a_subject_has_the_kind_of_name_that_its_marks_are_of(
    pattern: str, kind: Kind | None
) -> None:
    identity = Identity("https://one.example", Glob.parse(pattern))
    example = identity.example()

    assert identity.kind is kind
    for other in Kind:
        certified = replace(example, kind=other)
        assert identity.matches(certified) is (kind in (None, other))


def test_identities_of_different_kinds_have_nobody_in_common() -> None:
    url, address, anybody = (
        Identity("https://one.example", Glob.parse(text)) for text in ("**://**", "**@**", "**")
    )

    assert url.subject.overlaps(address.subject)
    assert not url.overlaps(address)
    assert url.overlaps(anybody)
    assert address.overlaps(anybody)


@LAW
@given(IDENTITIES)
def test_an_identity_names_its_own_example(identity: Identity) -> None:
    assert identity.matches(identity.example())
    assert identity.overlaps(identity)


@LAW
@given(IDENTITIES, IDENTITIES)
def test_no_two_identities_have_one_id(one: Identity, other: Identity) -> None:
    assert (one == other) is (one.id == other.id)


@LAW
@given(IDENTITIES, CERTIFIED)
def test_whoever_is_not_named_is_told_what_differs(
    identity: Identity, certified: Certified
) -> None:
    assert identity.matches(certified) is (list(identity.differences(certified)) == [])


def test_spaces_make_no_two_readings_of_an_id() -> None:
    issuer = "https://one.example"
    claims = {"ref": Glob("y'")}

    assert Identity(issuer, Glob("'x"), claims).id != Identity(issuer, Glob("x ref=y")).id
    assert (
        Identity(issuer, Glob("x"), {"ref": Glob("y")}).id != Identity(issuer, Glob("x ref=y")).id
    )
    assert Identity(issuer, Glob("x"), {"ref": Glob("y")}).id == f"{issuer} x ref=y"


def test_a_hostile_pattern_takes_no_longer_than_its_length_allows() -> None:
    """As a regular expression this backtracks for longer than the universe has been."""
    pattern, text = Glob.parse("**a" * 100 + "**b"), "a" * 2000

    assert not pattern.matches(text)
    assert pattern.overlaps(Glob.parse("a**" * 100))


@pytest.mark.parametrize("pattern", ["**" + "a" * 1020 + "**", "**a" * 341, "*" + "ab" * 511 + "*"])
def test_two_hostile_patterns_are_compared_in_milliseconds(pattern: str) -> None:
    """In the product of their lengths that is a million steps: 4.3 seconds."""
    one, other = Glob.parse(pattern), Glob.parse(pattern[::-1])
    started = process_time()

    assert one.overlaps(other)
    assert not one.overlaps(Glob.parse("*/" + "\n" * 1000 + "*/b")) or "**" in pattern
    assert process_time() - started < 0.1
