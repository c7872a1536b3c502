from __future__ import annotations

import time

import pytest

from stagepass.bundle import MAX_BYTES, MEDIA_TYPE
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.evidence import MAX_CANDIDATES, Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.source import RegistrySource
from tests.registry import digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.shop import OTHER, WANTED, Shop, search
from tests.simulators.registry import Registry


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("status", [404, 401, 403, 500])
    @pytest.mark.parametrize("part", ["manifest", "blob"])
    def test_one_unreadable_hides_no_good_one(
        self, part: str, status: int, source: RegistrySource, shop: Shop
    ) -> None:
        bad = shop.attach(b"bad")
        shop.attach(b"good")
        path = bad if part == "manifest" else str(Digest.of(b"bad"))
        shop.registry.faults.path_status = {path: status}
        found, error = search(source, shop.image)
        assert found == [[b"good"]]
        assert error is not None
        assert error.code == Code.REGISTRY_UNAVAILABLE
        assert f"{shop.registry.host} answered {status}" in error.message
        assert status == 401 or f"for the {part} {path}" in error.message

    def test_a_caller_with_enough_never_hears_of_it(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.registry.faults.path_status = {shop.attach(b"bad"): 500}
        shop.attach(b"good")
        batches = source.batches(shop.image, digest_in(shop.image), WANTED, Deadline.after(5))
        assert [c.data for c in next(batches)] == [b"good"]

    def test_all_that_is_unreadable_is_counted(self, source: RegistrySource, shop: Shop) -> None:
        for number in range(3):
            shop.attach(bytes([number]))
        shop.registry.faults.path_status = {"/blobs/": 500}
        found, error = search(source, shop.image)
        assert found == []
        assert error is not None
        assert error.message.endswith("(and 2 more could not be read)")

    def test_lies_and_short_bodies_are_undetermined(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.attach(b'{"a": 1}')
        for fault in ("lie", "truncate"):
            setattr(shop.registry.faults, fault, True)
            found, error = search(source, shop.image)
            assert found == []
            assert error is not None
            assert error.code == Code.REGISTRY_UNAVAILABLE

    @pytest.mark.parametrize("status", [401, 403, 405, 429, 500, 503])
    def test_a_refused_listing_is_undetermined(
        self, status: int, source: RegistrySource, shop: Shop
    ) -> None:
        shop.registry.faults.path_status = {"referrers": status}
        shop.attach(b"tag", as_tag=True)
        found, error = search(source, shop.image)
        assert found == []
        assert error is not None
        assert error.code == Code.REGISTRY_UNAVAILABLE
        assert len(shop.registry.requests) == 1

    def test_a_refused_tag_comes_after_what_the_api_lists(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.attach(b"good")
        shop.registry.faults.path_status = {"manifests/sha256-": 500}
        found, error = search(source, shop.image)
        assert found == [[b"good"]]
        assert error is not None

    def test_429_ends_the_try(self, client: RegistryClient, shop: Shop) -> None:
        """
        With one worker nothing is on its way already, so nothing follows the refusal.

        But for the first, which its caller reads meanwhile: all of it, or what came before the refusal.
        """
        shop.attach(b"good")
        refused = shop.attach(b"bad")
        for number in range(9):
            shop.attach(b"more %d" % number)
        shop.registry.faults.path_status = {refused: 429}
        with RegistrySource(client, workers=1) as source:
            found, error = search(source, shop.image)
        assert found in ([[b"good"]], [])
        assert error is not None
        assert "429" in error.message
        assert len(shop.registry.requests) <= 1 + 2 + 1

    @pytest.mark.parametrize("fault", ["hang", "trickle"])
    def test_the_deadline_bounds_the_whole_search(
        self, fault: str, source: RegistrySource, shop: Shop
    ) -> None:
        for number in range(12):
            shop.attach(bytes([number]))
        setattr(shop.registry.faults, fault, True)
        started = time.monotonic()
        found, error = search(source, shop.image, seconds=0.5)
        assert time.monotonic() - started < 0.9
        assert found == []
        assert error is not None
        assert error.code == Code.DEADLINE

    def test_a_slow_one_delays_good_ones_no_longer_than_the_deadline(
        self, connect: Connect, shop: Shop
    ) -> None:
        """The registry lists two and never answers for the blob of one."""
        with Registry() as store:
            store.faults.hang = True
            slow = shop.attach(b"slow")
            shop.attach(b"good")
            client = connect(shop.image.host)
            answer = client.manifest

            def manifest(image: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
                if str(digest) == slow:
                    hung = connect(store.host)
                    return hung.manifest(reference(store.host, digest), digest, deadline)
                return answer(image, digest, deadline)

            client.manifest = manifest  # type: ignore[method-assign]
            with RegistrySource(client) as source:
                started = time.monotonic()
                found, error = search(source, shop.image, seconds=0.5)
                assert time.monotonic() - started < 0.9
        assert found == [[b"good"]]
        assert error is not None
        assert error.code == Code.DEADLINE


class TestLimits:
    def test_50_are_read_and_the_51st_makes_it_undetermined(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        for number in range(MAX_CANDIDATES):
            shop.attach(b"bundle %d" % number)
        found, error = search(source, shop.image)
        assert ([len(batch) for batch in found], error) == ([MAX_CANDIDATES], None)
        shop.attach(b"other", OTHER)
        found, error = search(source, shop.image)
        assert [len(batch) for batch in found] == [MAX_CANDIDATES]
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT
        assert "over 50 pieces of evidence" in error.message

    def test_a_flood_of_others_does_not_keep_the_wanted_out(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        for number in range(60):
            shop.attach(b"junk %d" % number, OTHER)
        shop.attach(b"wanted")
        found, error = search(source, shop.image)
        assert [len(batch) for batch in found] == [1, 49]
        assert found[0] == [b"wanted"]
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT
        assert len(shop.registry.requests) == 1 + 2 * 50

    def test_a_bundle_over_the_limit_is_not_fetched(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.attach(b"x" * (MAX_BYTES + 1))
        shop.attach(b"x" * MAX_BYTES)
        found, error = search(source, shop.image)
        assert [[len(data) for data in batch] for batch in found] == [[MAX_BYTES]]
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT
        assert paths(shop.registry).count("GET blobs") == 1

    def test_a_size_that_lies_does_not_lift_the_limit(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        data = b"x" * (MAX_BYTES + 1)
        layer = {"mediaType": MEDIA_TYPE, "size": 9, "digest": str(Digest.of(data))}
        shop.manifest(data, layers=[layer])
        found, error = search(source, shop.image)
        assert found == []
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT

    def test_more_pages_than_five_are_undetermined_after_what_they_list(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        for number in range(6):
            shop.attach(bytes([number]))
        shop.registry.faults.page_size = 1
        found, error = search(source, shop.image)
        assert found == [[bytes([number]) for number in range(5)]]
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT
