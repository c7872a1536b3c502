"""Regular expressions and wildcards of subjects: never wider in our globs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.identity import Glob
from stagepass.importing.subjects import Globs, literal, of_regexp, of_wildcard


def _glob_matches(glob: str, text: str) -> bool:
    return Glob.parse(glob).matches(text)


@pytest.mark.parametrize(
    ("pattern", "texts", "exact"),
    [
        (r"^https://github\.com/acme/.+$", ("https://github.com/acme/**",), True),
        (r"^https://github\.com/acme/.*$", ("https://github.com/acme/**",), False),
        (r"^https://github.com/acme/.+$", ("https://github.com/acme/**",), False),
        (r"^https://github\.com/acme/", ("https://github.com/acme/",), False),
        (r"^[^/@]+@example\.com$", ("*@example.com",), True),
        (r"^[^@]+@example\.com$", ("*@example.com",), False),
        (r"^.+@example\.com$", ("**@example.com",), False),
        (r"^https://github\.com/acme/.+@refs/.+$", ("https://github.com/acme/**@refs/**",), False),
        (r"^acme@.+$", ("acme@**",), True),
        (r"^refs/(main|next)$", ("refs/main", "refs/next"), True),
    ],
)
def test_what_a_regular_expression_becomes(
    pattern: str, texts: tuple[str, ...], exact: bool
) -> None:
    assert of_regexp(pattern) == Globs(texts, exact)


@pytest.mark.parametrize(
    "pattern",
    [r"^a|b$", r"^[a-z]+$", r"^a+$", r"^(?i)acme$", r"^.+.+$", r"^[^/@]+[^/@]+$", r"^\d+$", r"^a\*$",
     r"^a{2}$", "", "^$", r"^.+?x$", r"^(a|b)*$", r"\Aa\z", r"^a.?$"],
)  # fmt: skip
def test_what_is_no_glob(pattern: str) -> None:
    assert of_regexp(pattern) is None


def test_what_stands_for_more_texts_than_anybody_compares_is_no_glob() -> None:
    """13 alternations were 8,192 identities and took 25 seconds; 25 would have used up the memory."""
    assert len(of_regexp("(a|b)" * 6).texts) == 64  # type: ignore[union-attr]
    assert of_regexp("(a|b)" * 7) is None
    assert of_regexp("(a|b)" * 100) is None
    assert of_regexp(f"({'|'.join(map(str, range(65)))})") is None


_PIECES = st.sampled_from(
    [
        "a",
        "b",
        "/",
        "@",
        r"\.",
        ".",
        ".+",
        ".*",
        "[^/@]+",
        "[^/]+",
        "[^@]*",
        "(a|ab)",
        "(?:b|a/)",
        "^",
        "$",
        "a?",
    ]
)


@given(st.lists(_PIECES, max_size=6), st.text("ab/@.", max_size=8))
def test_a_glob_never_matches_more(pieces: list[str], text: str) -> None:
    pattern = "".join(pieces)
    found = of_regexp(pattern)
    if found is not None and any(_glob_matches(glob, text) for glob in found.texts):
        assert re.search(pattern.replace("$", r"\Z"), text)
    elif found is not None and found.exact:
        assert not re.search(pattern.replace("$", r"\Z"), text)


@given(st.text("ab*/@", max_size=6), st.text("ab/@", max_size=6))
def test_a_wildcard_never_matches_more(pattern: str, text: str) -> None:
    found = of_wildcard(pattern)
    assert found is not None
    if _glob_matches(found.texts[0], text):
        assert re.fullmatch(".*".join(re.escape(p) for p in re.split(r"\*+", pattern)), text)


def test_an_issuer_is_one_text() -> None:
    assert literal(r"^https://accounts\.example\.com$") == Globs(
        ("https://accounts.example.com",), True
    )
    assert literal(r"^https://.+$") is None
    assert literal(r"^(a|b)$") is None
    assert of_wildcard("a?") is None
