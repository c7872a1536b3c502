from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stagepass.bundle import MEDIA_TYPE
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.source import RegistrySource
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.shop import EMPTY, OTHER, WANTED, Shop, search
from tests.simulators.registry import MANIFEST_TYPE, Registry


class TestRequests:
    @pytest.mark.parametrize("count", [1, 3, 6, 20])
    def test_a_first_batch_costs_one_and_two_for_each(
        self, count: int, source: RegistrySource, shop: Shop
    ) -> None:
        attached = [shop.attach(b"bundle %d" % number) for number in range(count)]
        batches = source.batches(shop.image, digest_in(shop.image), WANTED, Deadline.after(5))
        batch = next(batches)
        assert [c.data for c in batch] == [b"bundle %d" % number for number in range(count)]
        assert [c.origin for c in batch] == [f"{shop.image.name}@{digest}" for digest in attached]
        asked = paths(shop.registry)
        assert asked[0] == "GET referrers"
        assert sorted(asked[1:]) == ["GET blobs"] * count + ["GET manifests"] * count
        assert len({request.path for request in shop.registry.requests}) == 1 + 2 * count

    def test_requests_go_out_together(self, source: RegistrySource, shop: Shop) -> None:
        """Three round trips deep, however many there are (attestations section 4.3)."""
        for number in range(8):
            shop.attach(bytes([number]))
        shop.registry.faults.latency = 0.1
        started = time.monotonic()
        next(source.batches(shop.image, digest_in(shop.image), WANTED, Deadline.after(5)))
        assert 0.3 <= time.monotonic() - started < 0.6

    def test_data_in_the_manifest_needs_no_blob(self, source: RegistrySource, shop: Shop) -> None:
        data = b"a bundle"
        layer = {"mediaType": MEDIA_TYPE, "size": len(data), "digest": str(Digest.of(data))}
        shop.manifest(b"", layers=[{**layer, "data": base64.b64encode(data).decode()}])
        assert search(source, shop.image) == ([[data]], None)
        assert paths(shop.registry) == ["GET referrers", *["GET manifests"] * 3]

    def test_nothing_there_costs_three(self, source: RegistrySource, shop: Shop) -> None:
        """The API, the tag in its place, and what cosign 2 attaches."""
        assert search(source, shop.image) == ([], None)
        assert paths(shop.registry) == ["GET referrers", "GET manifests", "GET manifests"]


class TestOrder:
    def test_wanted_and_unnamed_come_first_and_others_are_not_left_out(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.attach(b"other", OTHER)
        shop.attach(b"unnamed", None)
        shop.attach(b"wanted")
        tag = shop.attach(b"tag", as_tag=True)
        first, second, third = search(source, shop.image)[0]
        assert (first, second, third) == ([b"wanted", b"unnamed"], [b"other"], [b"tag"])
        assert paths(shop.registry)[-4:-1] == ["GET manifests", "GET manifests", "GET blobs"]
        assert shop.registry.requests[-3].path.endswith(tag)
        assert shop.registry.requests[-1].path.endswith(".att")

    def test_the_tag_is_read_only_for_a_caller_who_wants_more(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        """An upgraded registry lists old evidence in its tag alone (cosign-proof section 4)."""
        shop.attach(b"api")
        shop.attach(b"tag", as_tag=True)
        batches = source.batches(shop.image, digest_in(shop.image), WANTED, Deadline.after(5))
        assert [c.data for c in next(batches)] == [b"api"]
        assert len(shop.registry.requests) == 3
        assert [c.data for c in next(batches)] == [b"tag"]
        assert len(shop.registry.requests) == 3 + 3

    def test_what_both_list_is_read_once(self, source: RegistrySource, shop: Shop) -> None:
        listed = shop.attach(b"api")
        shop.list_in_tag(listed, listed)
        assert search(source, shop.image) == ([[b"api"]], None)
        assert len(shop.registry.requests) == 3 + 2

    def test_a_registry_without_the_api_is_read_through_the_tag(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.registry.faults.referrers = False
        shop.attach(b"one", as_tag=True)
        shop.attach(b"two", as_tag=True)
        found, error = search(source, shop.image)
        assert (sorted(found[0]), len(found), error) == ([b"one", b"two"], 1, None)
        assert len(shop.registry.requests) == 2 + 2 * 2 + 1

    def test_pages_are_one_list(self, source: RegistrySource, shop: Shop) -> None:
        for number in range(5):
            shop.attach(bytes([number]))
        shop.registry.faults.page_size = 2
        assert search(source, shop.image) == ([[bytes([n]) for n in range(5)]], None)
        assert paths(shop.registry)[:3] == ["GET referrers"] * 3


class TestJunk:
    def test_an_sbom_is_not_even_read(self, source: RegistrySource, shop: Shop) -> None:
        for kind in ("application/spdx+json", "application/vnd.example.sbom"):
            shop.manifest(b"sbom", artifactType=kind)
        shop.attach(b"good")
        assert search(source, shop.image) == ([[b"good"]], None)
        assert paths(shop.registry).count("GET blobs") == 1
        assert len(shop.registry.requests) == 3 + 2

    @pytest.mark.parametrize("kind", [None, EMPTY, MEDIA_TYPE, f"{MEDIA_TYPE}x"])
    def test_what_registries_list_for_a_bundle_is_read(
        self, kind: str | None, source: RegistrySource, shop: Shop
    ) -> None:
        """go-containerregistry lists the config's type, others none (cosign-proof section 3)."""
        shop.manifest(b"good", artifactType=kind)
        assert search(source, shop.image) == ([[b"good"]], None)

    def test_junk_hides_nothing_and_is_no_error(self, source: RegistrySource, shop: Shop) -> None:
        layer = {"mediaType": MEDIA_TYPE, "size": 4, "digest": str(Digest.of(b"junk"))}
        other = {"mediaType": MANIFEST_TYPE, "size": 1, "digest": str(Digest.of(b"other"))}
        broken_members: list[dict[str, object]] = [
            {"layers": []},
            {"layers": [layer, layer]},
            {"layers": [layer], "manifests": []},
            {"layers": {}},
            {"layers": [7]},
            {"layers": [{**layer, "mediaType": "application/octet-stream"}]},
            {"layers": [{**layer, "size": 5}]},
            {"layers": [{**layer, "digest": "sha256:0"}]},
            {"layers": [{**layer, "data": base64.b64encode(b"other").decode()}]},
            {"layers": [{**layer, "data": "?"}]},
            {"mediaType": "application/vnd.oci.image.index.v1+json"},
        ]
        for members in broken_members:
            shop.manifest(b"junk", **members)
        # CVE-2023-33959: a list can name a manifest that refers to another image.
        elsewhere = shop.manifest(b"junk", subject=other)
        texts = [b"", b"[", b"[]", b'{"layers":1,"layers":2}', b"[" * 99 + b"]" * 99]
        broken = [shop.registry.put_manifest(REPOSITORY, text) for text in texts]
        shop.list_in_tag(elsewhere, *broken, shop.attach(b"good", as_tag=True))
        shop.attach(b"good too")
        assert search(source, shop.image) == ([[b"good too"], [b"good"]], None)

    def test_a_manifest_without_subject_counts_where_it_is_listed(
        self, source: RegistrySource, shop: Shop
    ) -> None:
        shop.list_in_tag(shop.manifest(b"good", subject=None))
        assert search(source, shop.image) == ([[b"good"]], None)


class TestThreads:
    def test_a_slow_registry_keeps_no_other_waiting(self, connect: Connect, shop: Shop) -> None:
        """V53: threads are kept for each host."""
        shop.attach(b"good")
        with Registry() as slow, ThreadPoolExecutor(16) as callers:
            stuck = reference(slow.host, slow.push_image(REPOSITORY))
            slow.faults.hang = True
            with RegistrySource(connect(slow.host, shop.image.host)) as source:
                waiting = [callers.submit(search, source, stuck, seconds=1.0) for _ in range(16)]
                time.sleep(0.1)
                started = time.monotonic()
                assert search(source, shop.image) == ([[b"good"]], None)
                assert time.monotonic() - started < 0.5
                for one in waiting:
                    error = one.result()[1]
                    assert error is not None
                    assert error.code == Code.DEADLINE

    def test_many_callers_share_a_source(self, source: RegistrySource, shop: Shop) -> None:
        for number in range(4):
            shop.attach(bytes([number]))
        with ThreadPoolExecutor(8) as callers:
            answers = callers.map(lambda _: search(source, shop.image), range(32))
            assert list(answers) == [([[bytes([n]) for n in range(4)]], None)] * 32

    def test_closing_ends_the_threads(self, client: RegistryClient, shop: Shop) -> None:
        before = set(threading.enumerate())  # of other tests, some still wait for what hangs
        with RegistrySource(client) as source:
            shop.attach(b"good")
            shop.attach(b"better")
            search(source, shop.image)
            names = [thread.name for thread in set(threading.enumerate()) - before]
            for what in ("registry", "connect"):
                assert any(name.startswith(f"{what} 127.0.0.1:") for name in names)
        # By name, not by number: the registry's own threads end when they like.
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert not any(name.startswith(("registry 127.", "connect 127.")) for name in names)
