"""What the faults happen to: a registry, a shop whose images it holds, and gates in front of both."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.faults.load import Images
from tests.faults.tally import Kind
from tests.simulators.registry import Faults, Registry
from tests.webhook.reviews import create
from tests.webhook.server import Server
from tests.webhook.shop import Shop, digest_of
from tests.world import stored

WORKERS = 2
_REPOSITORY = "shop/web"
_DEADLINE = "1"
_EACH = 60
_IN_A_ROW = 6
RECOVERY_SECONDS = 20.0


class Site:
    """One gate of two workers for most faults (`gate`), more of them for those that end or fill one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = (f"gate{number}" for number in itertools.count())
        self.registry = Registry(record=False)
        self._port = int(self.registry.host.rpartition(":")[2])
        self.shop = Shop(directory / "shop", self.registry.host)

    def __enter__(self) -> Self:
        self._gate = self.new_gate()
        self._gate.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.__exit__()
        self.registry.stop()

    @property
    def gate(self) -> Server:
        return self._gate

    def new_gate(self, **settings: Any) -> Server:
        """Not running yet, `settings` as of `Server`; it looks into the directory, then into the registry."""
        directory = self._directory / next(self._names)
        directory.mkdir()
        evidence = f"dir:{self.shop.evidence},registry"
        settings = {"evidence": evidence, "DEADLINE": _DEADLINE, **settings}
        return Server(directory, self.shop, workers=WORKERS, **settings)

    def images(self) -> Images:
        """New images of each kind, in turn."""
        kinds = list(Kind) * _EACH
        return [(kind, self.image(kind)) for kind in kinds]

    def image(self, kind: Kind) -> str:
        """A new image in the registry."""
        content = self.shop.image().encode()
        image = f"{self.shop.host}/{_REPOSITORY}@{self.registry.push_image(_REPOSITORY, content)}"
        if kind is Kind.DIRECTORY:
            stored(self.shop.evidence, [self.shop.bundle(image)], digest_of(image))
        if kind is Kind.REGISTRY:
            self.registry.attach(_REPOSITORY, str(digest_of(image)), self.shop.bundle(image))
        return image

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Nobody listens where the registry was; what it held is gone afterwards."""
        self.registry.stop()
        try:
            yield
        finally:
            self.registry = Registry(port=self._port, record=False)

    @contextmanager
    def faulty(self, faults: Faults) -> Iterator[None]:
        """`faults` in the registry; a new one afterwards, so that nothing hangs on in the old one."""
        self.registry.faults = faults
        try:
            yield
        finally:
            with self.refused():
                pass

    def recovered(self, gate: Server) -> str:
        """After how long every worker admits again what only the registry attests, in words."""
        started, in_a_row = time.monotonic(), 0
        while in_a_row < _IN_A_ROW:
            if time.monotonic() - started > RECOVERY_SECONDS:
                return f"NOT WELL AGAIN within {RECOVERY_SECONDS:g} s"
            try:
                well = gate.judge(create(self.image(Kind.REGISTRY)))["allowed"]
            except OSError:
                well = False
            in_a_row = in_a_row + 1 if well else 0
            if not well:
                time.sleep(0.05)
        return f"well again after {time.monotonic() - started:.1f} s"
