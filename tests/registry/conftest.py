from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from stagepass.digest import Digest, ImageRef
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from tests.simulators.registry import Registry

REPOSITORY = "shop/app"
Connect = Callable[..., RegistryClient]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client for the hosts it is given, closed at the end."""
    with ExitStack() as stack:

        def make(
            *hosts: str,
            settings: RegistrySettings | None = None,
            credentials: Credentials | None = None,
        ) -> RegistryClient:
            client = RegistryClient(
                settings or RegistrySettings(), credentials or Credentials(), frozenset(hosts)
            )
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(registry: Registry, connect: Connect) -> RegistryClient:
    return connect(registry.host)


@pytest.fixture
def image(registry: Registry) -> ImageRef:
    """An image that is in the registry, by digest."""
    return reference(registry.host, registry.push_image(REPOSITORY))


def reference(host: str, digest: str | Digest) -> ImageRef:
    return ImageRef.parse(f"{host}/{REPOSITORY}@{digest}")


def digest_in(image: ImageRef) -> Digest:
    assert image.digest
    return image.digest


def paths(registry: Registry) -> list[str]:
    """The kinds of resource asked for, in order: `GET referrers`, `GET manifests`, …"""
    kinds = (request.path.removeprefix(f"/v2/{REPOSITORY}/") for request in registry.requests)
    return [
        f"{request.method} {kind.partition('/')[0]}"
        for request, kind in zip(registry.requests, kinds, strict=True)
    ]
