"""
The policy set on its way to the gate: one ConfigMap in the gate's namespace, mounted there as a volume.

Nothing here is trusted on the other side: the gate verifies the set with its own root key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from applier.cluster import Cluster, Resource
from applier.failure import Failure, Reason
from stagepass import log
from stagepass.digest import Digest
from stagepass.policy.packed import MAX_PACKED, PACKED_FILE

CONFIG_MAP = "stagepass-policy"
"""The name by which `deploy/base` mounts it."""
_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)


class Delivery:
    """The ConfigMap, read and written as the applier itself. Every method raises `Failure`."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def read(self) -> bytes | None:
        """The packed set as it lies there, whoever put it there; None where there is none."""
        return _packed(self._live())

    def write(self, packed: bytes) -> None:
        """
        Make the ConfigMap hold `packed` and nothing else; one GET where it does.

        A key that somebody has added is taken out: beside it, the gate could read no packed set.
        """
        if len(packed) > MAX_PACKED:
            raise Failure(Reason.INTERNAL, f"a packed set of over {MAX_PACKED} bytes")
        live = self._live()
        if _packed(live) == packed and not _others(live):
            return
        if _packed(live) != packed:
            live = self._apply(packed)
        if others := _others(live):
            self._take_out(others)
        where = f"{self._namespace}/{CONFIG_MAP}"
        log.info("policy.delivered", config_map=where, sha256=Digest.of(packed).hex)

    def _live(self) -> Mapping[str, Any]:
        return self._cluster.get(_CONFIG_MAPS, self._namespace, CONFIG_MAP) or {}

    def _apply(self, packed: bytes) -> Mapping[str, Any]:
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": self._namespace},
            "binaryData": {PACKED_FILE: base64.b64encode(packed).decode()},
        }
        return self._cluster.apply(_CONFIG_MAPS, document, account=None, force=True)

    def _take_out(self, others: Mapping[str, str]) -> None:
        nothing: dict[str, dict[str, None]] = {}
        for key, member in others.items():
            nothing.setdefault(member, {})[key] = None
        self._cluster.request(
            "PATCH",
            _CONFIG_MAPS.path(self._namespace, CONFIG_MAP),
            nothing,
            content_type="application/merge-patch+json",
            about=f"ConfigMap {CONFIG_MAP}",
        )


def _packed(live: Mapping[str, Any]) -> bytes | None:
    encoded = (live.get("binaryData") or {}).get(PACKED_FILE)
    try:
        return None if encoded is None else base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None


def _others(live: Mapping[str, Any]) -> dict[str, str]:
    """By key, the member that holds it, of all that is not ours."""
    return {
        key: member
        for member in ("data", "binaryData")
        for key in live.get(member) or {}
        if (member, key) != ("binaryData", PACKED_FILE)
    }
