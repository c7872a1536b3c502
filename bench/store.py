"""The registry of the cold measurements: the tests' in-memory one, filled, slowed down and counted."""

from __future__ import annotations

from itertools import count

from bench.site import Site
from stagepass.digest import Digest
from tests.simulators.registry import Registry

REPOSITORY = "shop/checkout"


class Store:
    """Runs in a process of its own; its methods are called through a `Child`."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._numbers = count()

    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return self._registry.host

    def add(self, site: Site, images: int, passes: int) -> list[str]:
        """New images with that many passes each; their digests."""
        name = f"{self._registry.host}/{REPOSITORY}"
        added = []
        for _ in range(images):
            digest = self._registry.push_image(REPOSITORY, b"%d" % next(self._numbers))
            for bundle in site.sign(name, Digest.parse(digest), passes):
                self._registry.attach(REPOSITORY, digest, bundle)
            added.append(digest)
        return added

    def slow_down(self, latency: float) -> None:
        """Wait that many seconds before every answer from now on."""
        self._registry.faults.latency = latency

    def requests(self) -> int:
        """How many have arrived so far."""
        return len(self._registry.requests)
