from __future__ import annotations

import pytest

from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.stage import ImagePattern, NamespacePattern, ancestors, find_cycle


@pytest.mark.parametrize(
    ("pattern", "image", "matches"),
    [
        ("r.io/shop/cart", "r.io/shop/cart", True),
        ("r.io/shop/cart", "r.io/shop/cart/x", False),
        ("r.io/shop/cart", "r.io/shop/carts", False),
        ("r.io/shop/*", "r.io/shop/cart", True),
        ("r.io/shop/*", "r.io/shop/cart/x", False),
        ("r.io/shop/*", "r.io/shop", False),
        ("r.io/shop/c*t", "r.io/shop/cart", True),
        ("r.io/*/cart", "r.io/shop/cart", True),
        ("r.io/*/cart", "r.io/shop/x/cart", False),
        ("r.io/shop/**", "r.io/shop/cart", True),
        ("r.io/shop/**", "r.io/shop/a/b/c", True),
        ("r.io/shop/**", "r.io/shop", False),
        ("r.io/shop/**", "r.io/shopping/cart", False),
        ("r.io/**", "r.io/cart", True),
        ("r.io/**", "evil.io/r.io/cart", False),
        ("r.io/**", "r.io.evil.io/cart", False),
        ("r.io/**", "r.io:443/cart", False),
        ("r.io/**", "R.io/cart", False),
        ("r.io:5000/**", "r.io:5000/cart", True),
        ("r.io/a.b", "r.io/axb", False),
        ("localhost/**", "localhost/cart", True),
        ("[::1]:5000/**", "[::1]:5000/cart", True),
        ("docker.io/library/nginx", "nginx", True),
        ("docker.io/library/nginx", "index.docker.io/nginx", True),
        ("docker.io/**", "shop/cart", True),
    ],
)
def test_an_image_pattern_matches_the_literal_host_and_the_whole_path(
    pattern: str, image: str, matches: bool
) -> None:
    assert ImagePattern.parse(pattern).matches(ImageRef.parse(image)) is matches


@pytest.mark.parametrize(
    "text",
    [
        "",
        "**",
        "*",
        "r.io",
        "r.io/",
        "shop/**",
        "*.io/**",
        "r*.io/**",
        "r.io:*/shop",
        "!r.io/shop",
        "r.io/**/cart",
        "r.io/shop**",
        "r.io/shop/***",
        "r.io/shop/**/**",
        "r.io/Shop/**",
        "r.io//shop",
        "r.io/Shop",
        "r.io/shop:1",
        "r.io/shop@sha256:00",
        "https://r.io/shop",
        "r.io/[a-z]",
        "r.io/shop ",
    ],
)
def test_a_pattern_with_a_loose_host_or_another_wildcard_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ImagePattern.parse(text)


@pytest.mark.parametrize("text", ["docker.io/nginx", "docker.io/*", "index.docker.io/shop/**"])
def test_a_pattern_that_can_match_no_image_is_refused_with_the_spelling_that_can(text: str) -> None:
    with pytest.raises(InputError, match=r"matches no image.*docker\.io/library/nginx"):
        ImagePattern.parse(text)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("shop", "shop", True),
        ("shop", "shop-eu", False),
        ("shop-*", "shop-eu", True),
        ("shop-*", "shop-", True),
        ("shop-*", "shop", False),
        ("*-shop", "eu-shop", True),
        ("s*p", "shop", True),
        ("s**p", "sp", True),
        ("*", "anything", True),
        ("shop", "shop\n", False),
        ("x" * 63, "x" * 63, True),
    ],
)
def test_a_namespace_pattern_matches_whole_names(pattern: str, name: str, matches: bool) -> None:
    assert NamespacePattern.parse(pattern).matches(name) is matches


@pytest.mark.parametrize(
    "text", ["", "Shop", "shop_eu", "-shop", "shop-", "!shop", "a.b", "x" * 64]
)
def test_a_namespace_pattern_is_a_namespace_name_with_stars(text: str) -> None:
    with pytest.raises(InputError, match="is not a namespace name"):
        NamespacePattern.parse(text)


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("shop", "shop", True),
        ("shop", "cart", False),
        ("shop-*", "shop-eu", True),
        ("shop-*", "shop", False),
        ("shop-*", "*-eu", True),
        ("a*c", "ab*", True),
        ("a*c", "b*", False),
        ("a*b*c", "a*d*c", True),
        ("*", "x", True),
        ("*a", "*b", False),
        ("**", "*", True),
    ],
)
def test_two_patterns_overlap_where_one_name_matches_both(
    left: str, right: str, meet: bool
) -> None:
    one, other = NamespacePattern.parse(left), NamespacePattern.parse(right)

    assert one.overlaps(other) is meet
    assert other.overlaps(one) is meet


def test_ancestors_are_all_stages_before_nearest_first_and_each_once() -> None:
    after = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}

    assert ancestors("d", after) == ["b", "c", "a"]
    assert ancestors("a", after) == []


def test_a_cycle_is_named_stage_by_stage() -> None:
    assert find_cycle({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]}) == ["a", "c", "b"]
    assert find_cycle({"a": ["a"]}) == ["a"]
    assert find_cycle({"a": [], "b": ["a"], "c": ["a", "b"]}) == []
