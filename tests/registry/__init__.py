"""The registry half, against real HTTP on loopback."""

from __future__ import annotations

from stagepass.digest import Digest, ImageRef
from tests.simulators.registry import Registry

REPOSITORY = "shop/app"


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
