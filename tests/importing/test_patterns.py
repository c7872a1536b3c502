"""Our reading of foreign image patterns, against what each system itself would match."""

from __future__ import annotations

import re
from fnmatch import translate as fnmatch_regex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.digest import ImageRef
from stagepass.importing.patterns import (
    EVERY,
    Images,
    is_plain_prefix,
    of_kyverno,
    of_policy_controller,
    of_whitelist,
)
from stagepass.stage import ImagePattern

_HEX = "ab" * 32
_HOSTS = ("reg.example.com", "localhost:5000", "index.docker.io")
_PART = st.sampled_from(["app", "ap", "a", "b", "app-b", "ab", "shop"])
_REFERENCES = st.builds(
    lambda host, parts, behind: f"{host}/{'/'.join(parts)}{behind}",
    st.sampled_from(_HOSTS),
    st.lists(_PART, min_size=2, max_size=3),
    st.sampled_from([f"@sha256:{_HEX}", ":v1", ":app-b"]),
)
_PIECE = st.sampled_from(["app", "ap", "a", "b", "*", "**", "-b", "/", "/", ":", "shop"])
_GLOBS = st.builds(
    lambda host, pieces: host + "".join(pieces),
    st.sampled_from([*(f"{host}/" for host in _HOSTS), "**", "*/", "reg.example.com"]),
    st.lists(_PIECE, min_size=1, max_size=6),
)


def _matches(patterns: tuple[str, ...] | None, reference: str) -> bool:
    image = ImageRef.parse(reference)
    return patterns is None or any(ImagePattern.parse(p).matches(image) for p in patterns)


def _policy_controller_matches(glob: str, reference: str) -> bool:
    """As its documentation has it: `**` anything, `*` anything but `/`, over all of the reference."""
    parts = re.split(r"(\*\*|\*)", glob)
    regex = "".join({"**": ".*", "*": "[^/]*"}.get(p, re.escape(p)) for p in parts)
    return re.fullmatch(regex, reference) is not None


@given(_GLOBS, _REFERENCES)
def test_policy_controller_never_asks_less_and_never_lets_in_more(
    glob: str, reference: str
) -> None:
    images, theirs = of_policy_controller(glob), _policy_controller_matches(glob, reference)
    if theirs:
        assert _matches(images.covering, reference)
    if "@" in reference and _matches(images.within, reference):
        assert theirs


@given(_GLOBS, _REFERENCES)
def test_kyverno_never_asks_less(pattern: str, reference: str) -> None:
    text = reference.replace("index.docker.io", "docker.io")
    theirs = re.fullmatch(fnmatch_regex(pattern), text) is not None
    images = of_kyverno(pattern)
    if theirs:
        assert _matches(images.covering, reference)
    if is_plain_prefix(pattern) and images.covering is not None and "docker.io" not in pattern:
        assert _matches(images.covering, reference) == theirs


@pytest.mark.parametrize(
    ("glob", "patterns"),
    [
        ("ghcr.io/acme/**", ("ghcr.io/acme/**",)),
        ("ghcr.io/acme/*", ("ghcr.io/acme/*",)),
        ("ghcr.io/*/app*", ("ghcr.io/*/app*",)),
        ("ghcr.io/acme/app**", ("ghcr.io/acme/app*", "ghcr.io/acme/app*/**")),
        ("*", ("docker.io/library/*",)),
        ("*/*", ("docker.io/*/*",)),
        ("index.docker.io/**", ("docker.io/**",)),
    ],
)
def test_what_policy_controller_matches_exactly(glob: str, patterns: tuple[str, ...]) -> None:
    assert of_policy_controller(glob) == Images(patterns, patterns)


@pytest.mark.parametrize(
    ("glob", "covering"),
    [
        ("ghcr.io/acme/app", ("ghcr.io/acme/app",)),
        ("ghcr.io/acme/app:*", ("ghcr.io/acme/app",)),
        ("ghcr.io/**/app*", ("ghcr.io/**",)),
        ("ghcr.io/acme/*-app", ("ghcr.io/acme/*",)),
        ("acme/app*", ("docker.io/acme/app*",)),
        ("docker.io/acme/*", ("docker.io/acme/*",)),
    ],
)
def test_what_policy_controller_matches_otherwise_lets_nothing_in(
    glob: str, covering: tuple[str, ...]
) -> None:
    assert of_policy_controller(glob) == Images((), covering)


@pytest.mark.parametrize(
    "glob", ["**", "*.example.com/**", "ghc**", "[a-z]*", "REG.example.com/App*"]
)
def test_what_has_no_host_is_asked_of_every_image(glob: str) -> None:
    assert of_policy_controller(glob) == EVERY


@pytest.mark.parametrize(
    ("pattern", "patterns"),
    [
        ("gcr.io/project/nginx*", ("gcr.io/project/nginx*",)),
        ("gcr.io/project/nginx**", ("gcr.io/project/nginx*", "gcr.io/project/nginx*/**")),
        ("gcr.io/**", ("gcr.io/**",)),
        ("gcr.io/project/nginx", ()),
        ("gcr.io/project/nginx:v1*", ()),
        ("gcr.io/project/n*x", ()),
        ("gcr.io/project/nginx@sha256:*", ()),
        ("nginx*", ()),
    ],
)
def test_only_an_exact_allowlist_pattern_lets_in(pattern: str, patterns: tuple[str, ...]) -> None:
    assert of_whitelist(pattern) == patterns
