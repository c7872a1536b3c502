"""
What is on its way to the gate: a ConfigMap with one file in the gate's namespace, mounted there.

The policy set, by default. Nothing here is trusted on the other side: the gate verifies the set with its
own root key, and evidence like a stranger's.
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

    def __init__(
        self, cluster: Cluster, namespace: str, name: str = CONFIG_MAP, key: str = PACKED_FILE
    ) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._name, self._key = name, key

    def read(self) -> bytes | None:
        """What is packed there, whoever put it there; None where there is nothing."""
        return self._packed(self._live())

    def write(self, packed: bytes) -> None:
        """
        Make the ConfigMap hold `packed` and nothing else; one GET where it does.

        A key that somebody has added is taken out: beside it, the gate could read no packed set.
        """
        if len(packed) > MAX_PACKED:
            raise Failure(Reason.INTERNAL, f"a packed file of over {MAX_PACKED} bytes")
        live = self._live()
        if self._packed(live) == packed and not self._others(live):
            return
        if self._packed(live) != packed:
            live = self._apply(packed)
        if others := self._others(live):
            self._take_out(others)
        where = f"{self._namespace}/{self._name}"
        event = "policy.delivered" if self._key == PACKED_FILE else "evidence.mirrored"
        log.info(event, config_map=where, sha256=Digest.of(packed).hex)

    def _live(self) -> Mapping[str, Any]:
        return self._cluster.get(_CONFIG_MAPS, self._namespace, self._name) or {}

    def _apply(self, packed: bytes) -> Mapping[str, Any]:
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "binaryData": {self._key: base64.b64encode(packed).decode()},
        }
        return self._cluster.apply(_CONFIG_MAPS, document, account=None, force=True)

    def _take_out(self, others: Mapping[str, str]) -> None:
        nothing: dict[str, dict[str, None]] = {}
        for key, member in others.items():
            nothing.setdefault(member, {})[key] = None
        self._cluster.request(
            "PATCH",
            _CONFIG_MAPS.path(self._namespace, self._name),
            nothing,
            content_type="application/merge-patch+json",
            about=f"ConfigMap {self._name}",
        )

    def _packed(self, live: Mapping[str, Any]) -> bytes | None:
        encoded = (live.get("binaryData") or {}).get(self._key)
        try:
            return None if encoded is None else base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return None

    def _others(self, live: Mapping[str, Any]) -> dict[str, str]:
        """By key, the member that holds it, of all that is not ours."""
        return {
            key: member
            for member in ("data", "binaryData")
            for key in live.get(member) or {}
            if (member, key) != ("binaryData", self._key)
        }
