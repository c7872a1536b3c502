"""Two registries, and releases on their way from one to the other or into a directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Deadline
from stagepass.predicates.release import RELEASE
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.push import push_bundle
from stagepass.registry.settings import RegistrySettings
from stagepass.release.artifact import line_digest
from stagepass.release.model import Release
from stagepass.release.pushed import push_release
from tests.cli.conftest import Result, Shop
from tests.core.gated import PRODUCTION, REQUIRED, passes
from tests.policy.signed import ATTESTORS, beside
from tests.release.samples import CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.simulators.registry import Registry
from tests.world import DAY, NOW, SECOND, signed, write_policy

HOST = "registry.example.com"
RELEASES = "shop/releases"
LINE = line_digest("shop", "production")
RULE = {"from": ["ci"], "repository": f"{HOST}/{RELEASES}"}
FAR = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """Two registries that are asked in the stead of one name, and what the first of them holds."""

    shop: Shop
    first: Registry
    second: Registry
    patch: pytest.MonkeyPatch
    start: datetime = NOW - DAY
    released: int = 0
    images: list[ImageRef] = field(default_factory=list)

    def __post_init__(self) -> None:
        rule = {"pipeline.stages.2.release": RULE}
        write_policy(self.shop.policy, {**ATTESTORS, **REQUIRED, **rule}, extra=beside())
        for name in ("shop/checkout", "shop/proxy"):
            digests = {each.push_image(name) for each in (self.first, self.second)}
            (digest,) = digests
            self.images.append(ImageRef.parse(f"{HOST}/{name}@{digest}"))
        self.ask(self.first)

    def ask(self, registry: Registry) -> None:
        """From now on that is who answers to the name."""
        self.patch.setenv("STAGEPASS_REGISTRIES", f"{HOST}={registry.url}")

    def deployment(self) -> dict[str, Any]:
        web, proxy = map(str, self.images)
        pod = "spec__template__spec"
        changes = {
            f"{pod}__initContainers__0__image": proxy,
            f"{pod}__containers__0__image": web,
            f"{pod}__containers__1__image": proxy,
        }
        return altered(DEPLOYMENT, **changes)

    def config(self, number: int) -> dict[str, Any]:
        return altered(CONFIG, data__number=str(number))

    def release(self, by: str = "ci", *, passed: bool = True) -> Release:
        """One more, a second newer than the last, whose images have `passed`."""
        found = a_release(self.deployment(), self.config(self.released), terms=PRODUCTION)
        where = ImageRef.parse(f"{HOST}/{RELEASES}")
        settings = RegistrySettings.parse(f"{HOST}={self.first.url}")
        at = self.start + self.released * SECOND
        with RegistryClient(settings, Credentials(), frozenset({HOST})) as client:
            bundle = signed(payload_of(found), by)
            push_release(client, where, found, bundle, at, Deadline.after(20))
        for image in self.images if passed else ():
            for data in passes(found, digest_of(image)):
                self.first.attach(image.repository, str(image.digest), data)
        self.released += 1
        return found

    def junk(self, count: int) -> None:
        """So many bundles beside the line that are none, newer than all releases."""
        where = ImageRef.parse(f"{self.first.host}/{RELEASES}")
        with RegistryClient(RegistrySettings(), Credentials(), frozenset({where.host})) as client:
            for number in range(count):
                data = f"junk {number}".encode()
                deadline = Deadline.after(20)
                push_bundle(client, where, LINE, data, RELEASE, FAR, deadline)

    @property
    def gap(self) -> Path:
        return self.shop.root / "gap"

    def mirror(self, *arguments: str, output: str = "json") -> Result:
        to = ("--to", f"dir:{self.gap}", "--policy", str(self.shop.policy))
        images = map(str, self.images)
        return self.shop.run("evidence", "mirror", *images, *to, "--output", output, *arguments)

    def copy(self, *arguments: str) -> list[Result]:
        """Each image to the second registry, under whose own name it is written."""
        results = []
        for image in self.images:
            to = f"{self.second.host}/{image.repository}"
            where = ("--releases-to", f"{self.second.host}/{RELEASES}")
            by = ("--policy", str(self.shop.policy), "--output", "json")
            results.append(
                self.shop.run("evidence", "copy", str(image), to, *where, *by, *arguments)
            )
        return results

    def admit(self, *documents: dict[str, Any], evidence: tuple[str, ...]) -> list[str]:
        path = self.shop.root / "objects.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        where = ("--policy", str(self.shop.policy), "--cluster", "prod-eu", "--output", "json")
        at = ("--now", "2026-11-26T12:00:00Z")
        found = self.shop.run("admit", str(path), *where, *at, *evidence)
        return [line["decision"] for line in found.lines]

    def admit_by_the_gap(self, *documents: dict[str, Any]) -> list[str]:
        return self.admit(*documents, evidence=("--evidence", f"dir:{self.gap}", "--offline"))

    def line_of(self, root: Path) -> list[Path]:
        return sorted((root / f"sha256-{LINE.hex}").glob("*"))


def digest_of(image: ImageRef) -> Digest:
    assert image.digest is not None
    return image.digest


def listing(registry: Registry, repository: ImageRef) -> set[tuple[str, str]]:
    """Digest and time of everything beside the line."""
    settings = RegistrySettings.parse(f"{repository.host}={registry.url}")
    with RegistryClient(settings, Credentials(), frozenset({repository.host})) as client:
        found = client.referrers(repository, LINE, Deadline.after(20))
    assert found is not None
    return {(str(entry.digest), entry.created) for entry in found.entries}


def releases(result: Result) -> list[dict[str, Any]]:
    return [line for line in result.lines if line["predicateType"] == RELEASE]
