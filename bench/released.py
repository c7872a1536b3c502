"""Releases on a site: a stage that requires manifests, beside one that judges the same images alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.site import CLUSTER, PIPELINE, Site, namespace
from stagepass.cli.release_build import unsigned
from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Deadline, DirectorySource
from stagepass.packed_evidence import SUFFIX, pack
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.named_release import NamedRelease
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.push import push_bundle
from stagepass.registry.settings import RegistrySettings
from stagepass.release.artifact import line_digest
from stagepass.release.build import Commit, Terms, build
from stagepass.release.model import Release
from stagepass.release.pushed import push_release
from stagepass.release.store import write_directory
from stagepass.signing import PrivateKey

PASSES = 3
PLAIN, LIVE = namespace(PASSES), "live"
"""Two namespaces, each with a stage of its own name: after the same three, without and with manifests."""
RELEASES = "shop/releases"
SIGNER = 6

_COMMIT = Commit("git+https://git.example.com/shop", "c0ffee" * 6 + "c0ff")
_SECONDS = 60.0


def create(root: Path, host: str) -> Site:
    """A site with the stage `live`."""
    return Site.create(
        root,
        host,
        f"{{name: {LIVE}, clusters: [{CLUSTER}], namespaces: [{LIVE}], after: [s{PASSES}],"
        f" manifests: required, release: {{from: [k{SIGNER}], repository: {host}/{RELEASES}}}}}",
    )


@dataclass(frozen=True, slots=True)
class Signed:
    """A release, its bundle, and what its images need: bundles by image."""

    release: Release
    bundle: bytes
    passes: dict[ImageRef, list[bytes]]

    @classmethod
    def make(cls, site: Site, host: str, objects: Iterable[dict[str, Any]]) -> Signed:
        """Of the stage `live`, whose images have passed as a set."""
        terms = Terms(PIPELINE, LIVE, "live", _COMMIT)
        release = build([("live.yaml", each) for each in objects], terms)
        payload = unsigned(release, f"{host}/{RELEASES}", _COMMIT.subject)
        bundle = PrivateKey.read(site.key(SIGNER)).sign(payload).to_bytes()
        named = NamedRelease(release.digest, release.image_set)
        passes = {
            ImageRef.parse(f"{each.name}@{each.digest}"): site.sign(
                each.name, each.digest, PASSES, named
            )
            for each in release.statement.images
        }
        return cls(release, bundle, passes)

    def write(self, root: Path) -> None:
        """Into a directory of evidence."""
        write_directory(root, self.release, self.bundle)
        for image, bundles in self.passes.items():
            for each in bundles:
                DirectorySource(root).write(_digest(image), each)

    def pack(self, root: Path, name: str) -> None:
        """Into a mirror, as an applier does."""
        bundles = [(_digest(image), each) for image, many in self.passes.items() for each in many]
        bundles.append((line_digest(PIPELINE, LIVE), self.bundle))
        data = pack(bundles, [self.release.data])
        (root / f"{name}{SUFFIX}").write_bytes(data)

    def push(self, host: str) -> None:
        """To a registry on loopback."""
        now, deadline = datetime.now(UTC), Deadline.after(_SECONDS)
        client = RegistryClient(RegistrySettings(), Credentials(), frozenset({host}))
        with client:
            where = ImageRef.parse(f"{host}/{RELEASES}")
            push_release(client, where, self.release, self.bundle, now, deadline)
            for image, bundles in self.passes.items():
                for each in bundles:
                    push_bundle(client, image, _digest(image), each, STAGE_PASSED, now, deadline)


def _digest(image: ImageRef) -> Digest:
    assert image.digest is not None
    return image.digest
