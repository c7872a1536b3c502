from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from stagepass.digest import ImageRef
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.source import RegistrySource
from tests.registry import REPOSITORY, reference
from tests.registry.shop import Shop
from tests.simulators.registry import Registry

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


@pytest.fixture
def source(client: RegistryClient) -> Iterator[RegistrySource]:
    """One that lists anew each time."""
    with RegistrySource(client, listing_seconds=0) as made:
        yield made


@pytest.fixture
def shop(registry: Registry, image: ImageRef) -> Shop:
    return Shop(registry, image)
