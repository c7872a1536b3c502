"""One object compared with what controllers make of many owners: what is alike is compared once. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TypeVar

import orjson

from stagepass.digest import Digest
from stagepass.manifests.compare import of_kind
from stagepass.manifests.difference import Difference
from stagepass.manifests.templates import expected
from stagepass.objects import Object
from stagepass.policy.releases import ReleaseRule

T = TypeVar("T")

# Of each memory; a few MB. A line of 50 releases of 300 Deployments has 15,000 owners: 1 s of CPU for
# one refused Pod, were all compared.
_MAX_KNOWN = 20_000


class Made:
    """`template_differences` of one live object, over the owners of all releases. Not thread-safe."""

    def __init__(self, live: Object, rule: ReleaseRule, *, created: bool) -> None:
        self._live, self._rule, self._created = live, rule, created
        self._owners: dict[Digest, bool] = {}  # whether it is made of it
        self._compared: dict[object, bool] = {}

    def differences(self, digest: Digest, owner: Object) -> list[Difference] | None:
        """
        Where the object is not what a controller makes of `owner`, whose canonical digest is `digest`.

        [] where it is. None where it could not be made of it, and where the same was compared before
        and differed: that was told then. Raises `InputError` where one is no object.
        """
        known = self._owners.get(digest)
        if known is not None:
            return [] if known else None
        nearest: list[Difference] | None = None
        for found in self._each(owner):
            if nearest is None or len(found) < len(nearest):
                nearest = found
            if not found:
                break
        _keep(self._owners, digest, nearest == [])
        return nearest

    def _each(self, owner: Object) -> Iterator[list[Difference]]:
        for made, allowed in expected(owner, self._live, self._rule):
            try:
                text = orjson.dumps(made, option=orjson.OPT_SORT_KEYS)
            except TypeError:  # over 64 bits: compared each time
                yield of_kind(made, self._live, allowed, created=self._created)
                continue
            key = hashlib.sha256(text).digest(), allowed
            if (known := self._compared.get(key)) is None:
                found = of_kind(made, self._live, allowed, created=self._created)
                _keep(self._compared, key, found == [])
                yield found
            elif known:
                yield []


def _keep(known: dict[T, bool], key: T, is_equal: bool) -> None:
    if len(known) < _MAX_KNOWN:
        known[key] = is_equal
