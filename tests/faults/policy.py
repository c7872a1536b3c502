"""Faults of the policy: its files are replaced faster than the gate looks, and as fast as it looks."""

from __future__ import annotations

import itertools
import time
from functools import partial

from stagepass.policy.store import read_directory, revision_of
from tests.faults.load import Load
from tests.faults.result import Result
from tests.faults.site import Site
from tests.faults.tally import Rules
from tests.webhook.server import wait_until

WRITES = 1_000
_SETTLING_SECONDS = 20.0
_SCAN = {"name": "scan", "from": ["scanner"], "predicateType": "https://example.com/scan"}


class _Sets:
    """Two sets, of which the first wants a scan that no image has: an answer shows which it is of."""

    def __init__(self, site: Site) -> None:
        """The second is on disk afterwards, as it was before."""
        self._site = site
        stages = {"pipeline.stages.1.requires": [{"attestation": _SCAN}]}
        self.texts = (site.shop.variant(stages), site.shop.text)
        self._revisions = [self._revision(text) for text in self.texts]
        self.rules = Rules(
            stricter=frozenset(self._revisions[:1]), known=frozenset(self._revisions)
        )

    def stay(self, number: int) -> float:
        """Write a set; the seconds until it is in force in every worker."""
        self._site.shop.write(self.texts[number])
        written = time.monotonic()
        wait_until(partial(self._is_in_force, self._revisions[number]), _SETTLING_SECONDS)
        return time.monotonic() - written

    def _revision(self, text: str) -> str:
        self._site.shop.write(text)
        return revision_of(read_directory(self._site.shop.policy))

    def _is_in_force(self, revision: str) -> bool:
        """Several connections are told so: by every worker, in all likelihood."""
        told = {self._site.gate.get("/readyz").json["policyRevision"] for _ in range(6)}
        return told == {revision}


def replaced_faster(name: str, site: Site, seconds: float) -> Result:
    """The two sets in turn, `WRITES` times in `seconds`; then each of them stays."""
    sets, gate = _Sets(site), site.gate
    before = len(gate.log_lines("policy.loaded"))
    with Load(gate, site.images(), sets.rules) as load:
        for number in range(WRITES):
            site.shop.write(sets.texts[number % 2])
            time.sleep(seconds / WRITES)
        seen = len(gate.log_lines("policy.loaded")) - before
        settled = max(sets.stay(number) for number in range(2))
    note = (
        f"{WRITES:,} writes, {seen} loads in 2 workers; one that stays is in force after "
        f"{settled:.1f} s"
    )
    return Result.of(name, [load.tally], note)


def replaced_once_seen(name: str, site: Site, seconds: float) -> Result:
    """The two sets in turn, the next as soon as every worker has the one before, at least twice."""
    sets, settled = _Sets(site), list[float]()
    with Load(site.gate, site.images(), sets.rules) as load:
        end = time.monotonic() + seconds
        for number in itertools.count():
            settled.append(sets.stay(number % 2))
            if number % 2 and (time.monotonic() >= end or number >= WRITES):
                break
    note = (
        f"{len(settled)} reloads of both workers, each in force after {max(settled):.1f} s at most"
    )
    return Result.of(name, [load.tally], note)
