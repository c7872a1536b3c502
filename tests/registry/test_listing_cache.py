"""A listing may serve for a moment; an answer never does."""

from __future__ import annotations

import time

import pytest

from stagepass.errors import Unavailable
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import Listing
from stagepass.registry.listings import LISTING_SECONDS, Listings
from stagepass.registry.replies import unavailable
from stagepass.registry.source import RegistrySource
from tests.registry import digest_in, paths, reference
from tests.registry.shop import Shop, search

LONG = 2.0


def listed(shop: Shop) -> list[str]:
    """The requests for listings, which are all but those for what they list."""
    return [
        request.path
        for request in shop.registry.requests
        if "/referrers/" in request.path or "/manifests/sha256-" in request.path
    ]


def test_a_denied_rollout_lists_once(client: RegistryClient, shop: Shop) -> None:
    shop.attach(b"bad")
    with RegistrySource(client, listing_seconds=LONG) as source:
        for _ in range(13):
            assert search(source, shop.image) == ([[b"bad"]], None)
    assert len(listed(shop)) == 3
    assert paths(shop.registry).count("GET blobs") == 13, "evidence is read each time"


def test_it_is_asked_again_after_that_time(client: RegistryClient, shop: Shop) -> None:
    with RegistrySource(client, listing_seconds=0.2) as source:
        assert search(source, shop.image) == ([], None)
        shop.attach(b"new")
        until = time.monotonic() + 5
        while search(source, shop.image) != ([[b"new"]], None):
            assert time.monotonic() < until


def test_by_default_whoever_signs_and_tries_again_is_not_refused(
    client: RegistryClient, shop: Shop
) -> None:
    """`stagepass attest` and `kubectl apply` take half a second together."""
    assert LISTING_SECONDS < 0.5
    with RegistrySource(client) as source:
        assert search(source, shop.image) == ([], None)
        shop.attach(b"new")
        until = time.monotonic() + 2
        while search(source, shop.image) != ([[b"new"]], None):
            assert time.monotonic() < until


def test_nobody_keeps_them_longer(client: RegistryClient) -> None:
    for seconds in (-1.0, 2.1):
        with pytest.raises(ValueError, match="at most 2"):
            RegistrySource(client, listing_seconds=seconds)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_an_error_is_not_kept(status: int, client: RegistryClient, shop: Shop) -> None:
    shop.attach(b"good")
    with RegistrySource(client, listing_seconds=LONG) as source:
        shop.registry.faults.path_status = {"referrers": status}
        assert isinstance(search(source, shop.image)[1], Unavailable)
        shop.registry.faults.path_status = {}
        assert search(source, shop.image) == ([[b"good"]], None)


def test_a_listing_that_is_not_whole_is_not_kept(client: RegistryClient, shop: Shop) -> None:
    for number in range(3):
        shop.attach(bytes([number]))
    with RegistrySource(client, listing_seconds=LONG) as source:
        shop.registry.faults.page_size = 2
        shop.registry.faults.path_status = {"start=2": 500}
        assert isinstance(search(source, shop.image)[1], Unavailable)
        shop.registry.faults.path_status = {}
        assert search(source, shop.image) == ([[b"\0", b"\1", b"\2"]], None)


def test_every_repository_and_digest_has_its_own(client: RegistryClient, shop: Shop) -> None:
    other = reference(shop.registry.host, shop.registry.push_image("shop/app", b"other"))
    shop.attach(b"good")
    with RegistrySource(client, listing_seconds=LONG) as source:
        assert search(source, shop.image) == ([[b"good"]], None)
        assert search(source, other) == ([], None)
        assert len(listed(shop)) == 6


def test_memory_is_bounded(shop: Shop) -> None:
    listings, digest = Listings(LONG), digest_in(shop.image)
    for number in range(1500):
        listings.put((number, digest), Listing(()), time.monotonic())
    assert listings.get((499, digest)) is None
    assert listings.get((500, digest)) == Listing(())
    listings.put("partial", Listing((), unavailable("x")), time.monotonic())
    assert listings.get("partial") is None
