from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stagepass.bundle import MAX_BYTES
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.push import push_bundle
from stagepass.registry.source import RegistrySource
from stagepass.registry.uploads import push_blob
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response
from tests.simulators.registry import STAGE_PASSED, Registry

NOW = datetime(2026, 11, 23, 1, 29, 27, tzinfo=UTC)
BUNDLE = b'{"a":"bundle"}'


def push(
    client: RegistryClient,
    image: ImageRef,
    data: bytes = BUNDLE,
    *,
    seconds: float = 5.0,
    inline: bool = False,
) -> Digest:
    deadline, digest = Deadline.after(seconds), digest_in(image)
    return push_bundle(client, image, digest, data, STAGE_PASSED, NOW, deadline, inline=inline)


def as_cosign_stores(data: bytes) -> str:
    """The digest of the manifest around `data`, by the simulator, which copies cosign."""
    with Registry() as other:
        return other.attach(REPOSITORY, other.push_image(REPOSITORY), data)


def test_a_bundle_is_stored_byte_for_byte_as_cosign_does(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    stored = push(client, image)
    assert str(stored) == as_cosign_stores(BUNDLE)
    assert paths(registry) == [
        "GET manifests",
        *["HEAD blobs", "POST blobs", "PUT blobs"] * 2,
        "PUT manifests",
        "GET referrers",
        "GET manifests",
        "GET blobs",
    ]


def test_what_was_pushed_is_found(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    stored = push(client, image)
    with RegistrySource(client) as source:
        (batch,) = source.batches(
            image, digest_in(image), frozenset({STAGE_PASSED}), Deadline.after(5)
        )
    assert [(c.data, c.origin) for c in batch] == [(BUNDLE, f"{image.name}@{stored}")]
    registry.requests.clear()
    assert push(client, image) == stored
    assert "POST blobs" not in paths(registry), "blobs that are there are not sent again"


def test_a_push_may_need_a_login(registry: Registry, connect: Connect, image: ImageRef) -> None:
    registry.faults.basic = ("ci", "secret")
    logins = {registry.host: ("ci", "secret")}
    push(connect(registry.host, credentials=Credentials(logins=logins)), image)
    assert len([r for r in registry.requests if "authorization" not in r.headers]) == 1


def test_a_bundle_in_the_manifest_saves_readers_a_request(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """W7. The blob is stored as well: docker-registry refuses a manifest without it."""
    stored = push(client, image, inline=True)
    layer = json.loads(client.manifest(image, stored, Deadline.after(5)))["layers"][0]
    assert base64.b64decode(layer["data"]) == BUNDLE
    assert client.blob(image, Digest.of(BUNDLE), Deadline.after(5)) == BUNDLE
    registry.requests.clear()
    with RegistrySource(client) as source:
        batches = source.batches(image, digest_in(image), frozenset(), Deadline.after(5))
        assert [c.data for c in next(batches)] == [BUNDLE]
    assert paths(registry) == ["GET referrers", "GET manifests"]


def test_a_manifest_that_nobody_would_read_is_not_stored(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    with pytest.raises(InputError, match=r"a manifest of .* \(leave out --inline\)"):
        push(client, image, b"x" * MAX_BYTES, inline=True)
    assert {request.method for request in registry.requests} == {"GET"}


def test_an_image_that_is_not_there_is_refused(registry: Registry, client: RegistryClient) -> None:
    image = reference(registry.host, Digest.of(b"absent"))
    with pytest.raises(InputError, match=f"{image.name}@{image.digest}: no such image"):
        push(client, image)
    assert {request.method for request in registry.requests} == {"GET"}


def test_a_bundle_that_nobody_would_read_is_not_stored(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    with pytest.raises(InputError, match="1048577 bytes"):
        push(client, image, b"x" * (MAX_BYTES + 1))
    assert registry.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 405, 413, 429, 500])
@pytest.mark.parametrize("part", ["blob", "manifest"])
def test_a_refused_write_is_unavailable(
    part: str, status: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    path = "blobs/uploads" if part == "blob" else as_cosign_stores(BUNDLE)
    registry.faults.path_status = {path: status}
    with pytest.raises(Unavailable, match=str(status)) as refused:
        push(client, image)
    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
    assert path in registry.requests[-1].path


class Forgetful(dict[str, dict[str, Any]]):
    """Referrers that are never listed."""

    def setdefault(self, _key: str, default: Any = None, /) -> Any:
        return default


def test_a_bundle_that_is_not_listed_in_time_is_unavailable(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry._api.repository(REPOSITORY).referrers = Forgetful()
    with pytest.raises(Unavailable, match=r"is stored, but .* does not list it") as unlisted:
        push(client, image, seconds=1.0)
    assert unlisted.value.code == Code.REGISTRY_UNAVAILABLE


@pytest.mark.parametrize("part", ["manifests", "blobs"])
def test_a_bundle_that_is_not_given_back_is_unavailable(
    part: str, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """A write is done when it was read: through a cache, or from a replica, that may take a while."""
    path = as_cosign_stores(BUNDLE) if part == "manifests" else str(Digest.of(BUNDLE))
    registry.faults.unreadable = path
    with pytest.raises(Unavailable, match=r"was stored, but .* does not give it back"):
        push(client, image, seconds=1.0)
    assert registry.requests[-1].path.endswith(path)


@pytest.mark.parametrize("location", ["http://other.test/upload", "//other.test/x", "http://["])
def test_an_upload_goes_to_the_registry_itself(location: str, connect: Connect) -> None:
    with Raw(response(b"", f"Location: {location}", status="202 Accepted")) as raw:
        image = reference(raw.host, f"sha256:{'0' * 64}")
        with pytest.raises(Unavailable, match=r"refers us to"):
            push_blob(connect(raw.host).session, image, b"{}", Deadline.after(5))
