from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass.decision import Code
from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.replies import Throttled
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response
from tests.simulators.registry import INDEX_TYPE, MANIFEST_TYPE, Faults, Registry

ZERO = f"sha256:{'0' * 64}"
EMPTY_INDEX = b'{"schemaVersion":2,"manifests":[]}'


def soon() -> Deadline:
    return Deadline.after(5)


def digests(listing: Any) -> list[str]:
    return [str(entry.digest) for entry in listing.entries]


def test_a_registry_without_the_api_has_none(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.referrers = False
    assert client.referrers(image, digest_in(image), soon()) is None
    registry.faults = Faults(path_status={"referrers": 400})
    assert client.referrers(image, digest_in(image), soon()) is None


@pytest.mark.parametrize(
    ("content_type", "has_api"),
    [
        (INDEX_TYPE, True),
        (f"{INDEX_TYPE}; charset=utf-8", True),
        ("application/json", False),
        ("text/html", False),
        (f"{INDEX_TYPE}x", False),
    ],
)
def test_only_an_index_is_an_answer_of_the_api(
    content_type: str, has_api: bool, connect: Connect
) -> None:
    with Raw(response(EMPTY_INDEX, f"Content-Type: {content_type}")) as raw:
        image = reference(raw.host, ZERO)
        listing = connect(raw.host).referrers(image, digest_in(image), soon())
    assert (listing is not None) == has_api


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"manifests":{}}',
        b'{"manifests":[],"layers":[]}',
        b'{"manifests":[],"manifests":[]}',
        b'{"mediaType":"application/json","manifests":[]}',
    ],
)
def test_nonsense_is_not_an_empty_list(body: bytes, connect: Connect) -> None:
    with Raw(response(body, f"Content-Type: {INDEX_TYPE}")) as raw:
        image, client = reference(raw.host, ZERO), connect(raw.host)
        for ask in (client.referrers, client.tag_index):
            with pytest.raises(Unavailable, match="sent no list for"):
                ask(image, digest_in(image), soon())


def test_an_entry_we_cannot_name_hides_no_other(connect: Connect) -> None:
    good = {"mediaType": MANIFEST_TYPE, "digest": ZERO, "size": 2}
    bad: list[object] = [
        None,
        1,
        {},
        {**good, "digest": "sha512:" + "0" * 128},
        {**good, "digest": "sha256:../../x"},
        {**good, "size": -1},
        {**good, "size": True},
        {**good, "mediaType": None},
    ]
    body = json.dumps({"manifests": [*bad, {**good, "annotations": [], "artifactType": 7}]})
    with Raw(response(body.encode(), f"Content-Type: {INDEX_TYPE}")) as raw:
        image = reference(raw.host, ZERO)
        listing = connect(raw.host).referrers(image, digest_in(image), soon())
    assert listing is not None
    assert digests(listing) == [ZERO]


def test_pages_are_followed_to_the_fifth(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    attached = [
        registry.attach(REPOSITORY, str(image.digest), bytes([number])) for number in range(11)
    ]
    registry.faults.page_size = 3
    listing = client.referrers(image, digest_in(image), soon())
    assert listing is not None
    assert (digests(listing), listing.gap) == (attached, None)
    assert paths(registry) == ["GET referrers"] * 4
    registry.faults.page_size = 2
    listing = client.referrers(image, digest_in(image), soon())
    assert listing is not None
    assert digests(listing) == attached[:10]
    assert listing.gap is not None
    assert listing.gap.code == Code.EVIDENCE_LIMIT
    assert len(registry.requests) == 4 + 5


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_page_that_is_missing_is_a_gap(
    status: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """Not the end of the list, and not "no such API" (B55)."""
    attached = [registry.attach(REPOSITORY, str(image.digest), bytes([n])) for n in range(3)]
    registry.faults = Faults(page_size=2, path_status={"start=2": status})
    listing = client.referrers(image, digest_in(image), soon())
    assert listing is not None
    assert digests(listing) == attached[:2]
    assert listing.gap is not None
    assert listing.gap.code == Code.REGISTRY_UNAVAILABLE
    registry.faults.path_status = {"start=2": 429}
    with pytest.raises(Throttled):
        client.referrers(image, digest_in(image), soon())


@pytest.mark.parametrize("link", ["http://other.test/v2/", "//other.test/", "https:/v2/"])
def test_a_page_at_another_host_is_a_gap(link: str, connect: Connect) -> None:
    headers = (f"Content-Type: {INDEX_TYPE}", f'Link: <{link}>; rel="next"')
    with Raw(response(EMPTY_INDEX, *headers)) as raw:
        image = reference(raw.host, ZERO)
        listing = connect(raw.host).referrers(image, digest_in(image), soon())
    assert listing is not None
    assert listing.gap is not None
    assert f"{raw.host} refers us to" in listing.gap.message


def test_a_page_at_no_url_is_unavailable(connect: Connect) -> None:
    headers = (f"Content-Type: {INDEX_TYPE}", 'Link: <http://[>; rel="next"')
    with Raw(response(EMPTY_INDEX, *headers)) as raw:
        image = reference(raw.host, ZERO)
        with pytest.raises(Unavailable, match="no URL"):
            connect(raw.host).referrers(image, digest_in(image), soon())


def test_a_tag_that_is_not_there_lists_nothing(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    assert digests(client.tag_index(image, digest_in(image), soon())) == []
    attached = registry.attach(REPOSITORY, str(image.digest), b"b", as_tag=True)
    assert digests(client.tag_index(image, digest_in(image), soon())) == [attached]
