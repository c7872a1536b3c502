from __future__ import annotations

import pytest

from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from tests.registry import REPOSITORY, digest_in, reference
from tests.registry.conftest import Connect
from tests.simulators.registry import Registry


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.fixture
def blob(registry: Registry) -> ImageRef:
    return reference(registry.host, registry.put_blob(REPOSITORY, b"a blob"))


def test_a_blob_is_not_fetched_from_a_host_nobody_named(
    registry: Registry, client: RegistryClient, blob: ImageRef
) -> None:
    with Registry() as store:
        store.put_blob(REPOSITORY, b"a blob")
        registry.faults.redirect = store.url
        with pytest.raises(Unavailable, match=f"{store.url}, which is not asked unless"):
            client.blob(blob, digest_in(blob), soon())
        assert store.requests == []


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254", "http://store.test", "file:///etc", "http://["]
)
def test_a_name_counts_for_its_own_scheme(
    target: str, registry: Registry, connect: Connect, blob: ImageRef
) -> None:
    settings = RegistrySettings.parse("https://store.test")
    registry.faults.redirect = target
    with pytest.raises(Unavailable, match=r"is not asked unless|no URL"):
        connect(registry.host, settings=settings).blob(blob, digest_in(blob), soon())


def test_a_user_in_a_url_is_another_host(
    registry: Registry, client: RegistryClient, blob: ImageRef
) -> None:
    registry.faults.redirect = f"http://user@{registry.host}"
    with pytest.raises(Unavailable, match="is not asked unless"):
        client.blob(blob, digest_in(blob), soon())


def test_the_registry_itself_is_followed_three_times(
    registry: Registry, client: RegistryClient, blob: ImageRef
) -> None:
    registry.faults.redirect = registry.url
    with pytest.raises(Unavailable, match="redirects more than 3 times"):
        client.blob(blob, digest_in(blob), soon())
    assert len(registry.requests) == 4


def test_bytes_from_elsewhere_are_hashed_as_well(
    registry: Registry, connect: Connect, blob: ImageRef
) -> None:
    with Registry() as store:
        store.put_blob(REPOSITORY, b"a blob")
        store.faults.lie = True
        registry.faults.redirect = store.url
        settings = RegistrySettings.parse(f"http://{store.host}")
        with pytest.raises(Unavailable, match=f"{store.host} sent other bytes"):
            connect(registry.host, settings=settings).blob(blob, digest_in(blob), soon())


def test_a_mirror_is_asked_instead(registry: Registry, connect: Connect, image: ImageRef) -> None:
    settings = RegistrySettings.parse(f"reg.test={registry.url}")
    named = reference("reg.test", digest_in(image))
    assert connect("reg.test", settings=settings).manifest(named, digest_in(image), soon())
    assert [request.headers["host"] for request in registry.requests] == [registry.host]
