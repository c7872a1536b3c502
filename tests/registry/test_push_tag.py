"""Registries without the referrers API: the tag in its place, written by many at the same time."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stagepass.bundle import MEDIA_TYPE
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import MAX_LISTING
from stagepass.registry.source import RegistrySource
from tests.registry import REPOSITORY, paths
from tests.registry.conftest import Connect
from tests.registry.shop import search
from tests.registry.test_push import BUNDLE, push
from tests.simulators.registry import INDEX_TYPE, MANIFEST_TYPE, STAGE_PASSED, Registry


@pytest.fixture(autouse=True)
def _without_api(registry: Registry) -> None:
    registry.faults.referrers = False


def tag_of(image: ImageRef) -> str:
    return str(image.digest).replace(":", "-")


def index(registry: Registry, image: ImageRef) -> dict[str, Any]:
    """What lies under the tag."""
    found = registry._api.repository(REPOSITORY).manifest(tag_of(image))
    assert found
    assert found[1] == INDEX_TYPE
    whole: dict[str, Any] = json.loads(found[2])
    return whole


def entry(digest: str, **members: Any) -> dict[str, Any]:
    return {"mediaType": MANIFEST_TYPE, "size": 7, "digest": digest, **members}


def write(registry: Registry, image: ImageRef, *entries: dict[str, Any]) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})
    registry.put_manifest(
        REPOSITORY, body.encode(), media_type=INDEX_TYPE, tag=tag_of(image), index=False
    )


def test_the_tag_lists_it_with_type_and_annotations(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    stored = push(client, image)
    body = client.manifest(image, stored, Deadline.after(5))
    assert index(registry, image) == {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [
            {
                "mediaType": MANIFEST_TYPE,
                "size": len(body),
                "digest": str(stored),
                "artifactType": MEDIA_TYPE,
                "annotations": json.loads(body)["annotations"],
            }
        ],
    }


def test_it_is_read_again_for_a_second_after_it_was_written(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """A writer that had read the tag before us may still overwrite it."""
    started = time.monotonic()
    push(client, image)
    assert time.monotonic() - started > 1.0
    asked = paths(registry)
    assert asked[:10] == [
        "GET manifests",
        *["HEAD blobs", "POST blobs", "PUT blobs"] * 2,
        "PUT manifests",
        "GET referrers",
        "GET manifests",
    ]
    assert asked[10] == "PUT manifests"
    assert set(asked[11:-1]) == {"GET manifests"}
    assert asked[-1] == "GET blobs"
    assert 5 <= len(asked[11:]) <= 24


def test_what_was_pushed_is_found(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    stored = push(client, image)
    with RegistrySource(client) as source:
        assert search(source, image) == ([[BUNDLE]], None)
    registry.requests.clear()
    assert push(client, image) == stored, "what is there already is not written again"
    assert "PUT manifests" not in paths(registry)[4:]


def test_what_the_index_says_beside_its_entries_is_kept(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    body = b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"b"},"new":[null]}'
    tag = tag_of(image)
    registry.put_manifest(REPOSITORY, body, media_type=INDEX_TYPE, tag=tag, index=False)
    push(client, image)
    found = index(registry, image)
    assert (found["annotations"], found["new"], found["mediaType"]) == (
        {"a": "b"},
        [None],
        INDEX_TYPE,
    )


def test_numbers_that_we_could_not_write_again_are_not_written_over(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    body = b'{"manifests":[],"new":%d}' % 10**30
    tag = tag_of(image)
    registry.put_manifest(REPOSITORY, body, media_type=INDEX_TYPE, tag=tag, index=False)
    with pytest.raises(InputError, match="numbers beyond 64 bits"):
        push(client, image)


def test_the_entries_of_others_are_kept_whole(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """Also of kinds that we would not read: they are not ours to drop."""
    others = [
        entry(registry.put_manifest(REPOSITORY, b"{}"), artifactType="application/spdx+json"),
        entry("sha512:" + "0" * 128, platform={"os": "linux"}, unknown=[1, {"a": 2.5}]),
        entry(registry.put_manifest(REPOSITORY, b"[]"), annotations={"a": "b"}, urls=["x"]),
    ]
    write(registry, image, *others)
    stored = str(push(client, image))
    found = index(registry, image)["manifests"]
    assert [each for each in found if each["digest"] != stored] == sorted(
        others, key=lambda each: str(each["digest"])
    )
    assert len(found) == 4


@pytest.mark.parametrize("losses", [1, 3, 12])
def test_what_another_writer_takes_away_is_put_back(
    losses: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.lost_tags = losses
    stored = push(client, image, seconds=20)
    assert [each["digest"] for each in index(registry, image)["manifests"]] == [str(stored)]


def test_what_a_writer_who_has_gone_added_is_put_back_too(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """Nobody else would: whoever added it went away when all was well."""
    before = entry(registry.put_manifest(REPOSITORY, b"{}"))
    write(registry, image, before)
    with ThreadPoolExecutor(1) as writer:
        pushed = writer.submit(push, client, image, seconds=20)
        until = time.monotonic() + 10
        while len(index(registry, image)["manifests"]) < 2:
            assert time.monotonic() < until
        write(registry, image)
        stored = str(pushed.result())
    assert {each["digest"] for each in index(registry, image)["manifests"]} == {
        before["digest"],
        stored,
    }


def test_what_is_taken_away_for_ever_is_unavailable(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.lost_tags = 1_000
    with pytest.raises(Unavailable, match="is overwritten again and again") as refused:
        push(client, image, seconds=3.0)
    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
    assert registry.faults.lost_tags <= 1_000 - 8, "eight tries at least"


@pytest.mark.parametrize("torn", [1, 7])
def test_a_tag_that_is_being_written_is_read_again(
    torn: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """docker-registry 2.8.2 answers 500 then."""
    registry.faults.torn_tags = torn
    stored = push(client, image, seconds=20)
    assert [each["digest"] for each in index(registry, image)["manifests"]] == [str(stored)]


def test_eight_errors_in_a_row_are_an_answer(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.torn_tags = 1_000
    with pytest.raises(Unavailable, match="answered 500 for the tag sha256-"):
        push(client, image, seconds=20)
    assert registry.faults.torn_tags == 1_000 - 8


@pytest.mark.parametrize("latency", [0.0, 0.03, 0.15])
def test_many_writers_lose_nothing(
    latency: float, registry: Registry, connect: Connect, image: ImageRef
) -> None:
    """Each with a client of its own, and one that was there before."""
    before = entry(registry.put_manifest(REPOSITORY, b"{}"))
    write(registry, image, before)
    registry.faults.latency = latency

    def one(number: int) -> str:
        return str(push(connect(registry.host), image, b"bundle %d" % number, seconds=60))

    with ThreadPoolExecutor(12) as writers:
        stored = set(writers.map(one, range(12)))
    listed = {each["digest"] for each in index(registry, image)["manifests"]}
    assert listed == {before["digest"], *stored}
    assert len(stored) == 12


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"manifests":{}}',
        b'{"layers":[],"config":{}}',
        b'{"manifests":[],"layers":[]}',
        b'{"manifests":[],"mediaType":"application/vnd.oci.image.manifest.v1+json"}',
        b'{"manifests":[],"manifests":[]}',
    ],
)
def test_what_is_no_index_is_not_written_over(
    body: bytes, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    digest = registry.put_manifest(REPOSITORY, body, tag=tag_of(image), index=False)
    with pytest.raises(Unavailable, match="is no list of referrers"):
        push(client, image)
    assert registry._api.repository(REPOSITORY).tags[tag_of(image)] == digest


def test_a_list_that_nobody_would_read_is_not_written(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    write(registry, image, entry(f"sha256:{0:064x}", a="x" * (MAX_LISTING - 300)))
    with pytest.raises(InputError, match=f"over {MAX_LISTING} bytes of referrers"):
        push(client, image)


@pytest.mark.parametrize("status", [401, 403, 413, 429, 500])
def test_a_refused_tag_is_unavailable(
    status: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.path_status = {f"manifests/{tag_of(image)}": status}
    with pytest.raises(Unavailable, match=str(status)):
        push(client, image)


def test_a_registry_with_the_api_gets_no_tag(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.referrers = True
    push(client, image)
    assert tag_of(image) not in registry._api.repository(REPOSITORY).tags


def test_the_deadline_bounds_the_writing(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """A list that is whole at the deadline is done, settled or not."""
    started = time.monotonic()
    stored = push(client, image, seconds=0.8)
    assert time.monotonic() - started < 1.0
    assert [each["digest"] for each in index(registry, image)["manifests"]] == [str(stored)]
    assert stored == Digest.of(client.manifest(image, stored, Deadline.after(5)))
    assert STAGE_PASSED in json.dumps(index(registry, image))
