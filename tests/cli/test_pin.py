"""`pin`: the digest behind a tag, of bytes that were hashed here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Shop
from tests.simulators.registry import Registry
from tests.world import DIGEST


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def test_a_tag_becomes_the_digest_that_it_names_now(shop: Shop, registry: Registry) -> None:
    first = registry.push_image("shop/web", tag="1.2")
    image = f"{registry.host}/shop/web"
    result = shop.run("pin", f"{image}:1.2")

    assert (result.code, result.out) == (0, f"{image}@{first}\n")


def test_as_json_it_is_one_line(shop: Shop, registry: Registry) -> None:
    digest = registry.push_image("shop/web", tag="1.2")
    image = f"{registry.host}/shop/web"
    result = shop.run("pin", f"{image}:1.2", "--output", "json")

    assert result.line == {"input": f"{image}:1.2", "pinned": f"{image}@{digest}"}


def test_no_tag_means_latest(shop: Shop, registry: Registry) -> None:
    digest = registry.push_image("shop/web", tag="latest")

    assert shop.run("pin", f"{registry.host}/shop/web").out.endswith(f"@{digest}\n")


def test_a_digest_is_printed_without_asking_anybody(shop: Shop, registry: Registry) -> None:
    image = f"{registry.host}/shop/web:1.2@{DIGEST}"
    result = shop.run("pin", image)

    assert (result.code, result.out) == (0, f"{registry.host}/shop/web@{DIGEST}\n")
    assert registry.requests == []


def test_what_it_prints_is_what_verify_takes(shop: Shop, registry: Registry) -> None:
    registry.push_image("shop/web", tag="1.2")
    pinned = shop.run("pin", f"{registry.host}/shop/web:1.2").out.strip()
    result = shop.verify("test", image=pinned)

    assert [v["code"] for v in result.line["violations"]] == ["UNLISTED"]


def test_a_tag_that_is_not_there_prints_nothing_and_never_exits_0(
    shop: Shop, registry: Registry
) -> None:
    registry.push_image("shop/web", tag="1.2")
    result = shop.run("pin", f"{registry.host}/shop/web:1.3")

    assert result.code != 0
    assert (result.out, "1.3" in result.err) == ("", True)


def test_a_registry_that_does_not_answer_prints_nothing_and_never_exits_0(shop: Shop) -> None:
    with Registry() as gone:
        host = gone.host
    result = shop.run("pin", f"{host}/shop/web:1.2")

    assert result.code != 0
    assert result.out == ""
    assert "internal error" not in result.err


@pytest.mark.parametrize("image", ["", "no image", "shop/web:1.2:3", "shop/web@sha256:00"])
def test_what_is_no_image_is_usage(shop: Shop, image: str) -> None:
    assert shop.run("pin", image).code == 64
