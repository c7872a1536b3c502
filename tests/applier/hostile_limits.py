"""Kustomizations that the scan has nothing against, and that run into a limit of the renderer (G28)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Greedy:
    """`says` is part of the message of RENDER_LIMIT; which limit of time it is depends on the machine."""

    name: str
    files: Mapping[str, bytes]
    says: str


def _config_maps(count: int, size: int) -> bytes:
    return b"---\n".join(
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: escaped-%d, namespace: shop}\ndata:\n  a: %s\n"
        % (number, b"x" * size)
        for number in range(count)
    )


def _fan(width: int, content: bytes) -> dict[str, bytes]:
    """One base under so many prefixes: what is written once is rendered `width` times."""
    overlays = {
        f"o{number}/kustomization.yaml": b"resources: [../base]\nnamePrefix: p%d-\n" % number
        for number in range(width)
    }
    names = ", ".join(f"o{number}" for number in range(width))
    return {
        "kustomization.yaml": f"resources: [{names}]\n".encode(),
        "base/kustomization.yaml": b"resources: [a.yaml]\n",
        "base/a.yaml": content,
        **overlays,
    }


GREEDY = (
    Greedy("100 MiB of memory, many times", _fan(100, _config_maps(1, 1 << 20)), "out of memory"),
    Greedy("22 MB of output", _fan(110, _config_maps(1, 200_000)), "over 20971520 bytes of output"),
    Greedy("22 500 objects that are compared", _fan(150, _config_maps(150, 100)), "kubectl"),
)
