"""Faults of the policy: its files are replaced faster than the gate looks, and a thousand times loaded."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stagepass.policy.store import read_directory, revision_of
from tests.faults.load import Load
from tests.faults.result import Result
from tests.faults.site import WORKERS, Site
from tests.faults.tally import Rules, Said
from tests.webhook.server import Server, wait_until

WRITES = 1_000
RELOADS_A_SECOND = 200
"""Of the time a fault is given: 1,000 in the usual five seconds, of which each takes some fifty."""
_SETTLING_SECONDS = 20.0
_POLL = "0.01"
_SCAN = {"from": ["scanner"], "predicateType": "https://example.com/scan"}


class _Sets:
    """
    Numbered sets, all different. The even ones want a scan of their own name, which no image has.

    So an answer shows which it is of. The shop's own set is on disk afterwards, as it was before.
    """

    def __init__(self, site: Site, count: int) -> None:
        self._shop = site.shop
        self._texts = [self._text(number) for number in range(count)]
        files = read_directory(site.shop.policy)
        self.revisions = [
            revision_of({**files, "policy.yaml": text.encode()}) for text in self._texts
        ]

    def write(self, number: int) -> None:
        self._shop.write(self._texts[number])

    def restore(self) -> None:
        self._shop.write(self._shop.text)

    def _text(self, number: int) -> str:
        if number % 2:
            return f"{self._shop.text}\n# {number}\n"
        scan = {"attestation": {"name": f"scan-{number}", **_SCAN}}
        return self._shop.variant({"pipeline.stages.1.requires": [scan]})


@dataclass(frozen=True, slots=True)
class OneInForce(Rules):
    """
    An answer is of one set only: its revision's, and that was in force while the review was judged.

    `written`: when each set was put on disk. `replaced`: by when no worker judged by it any more.
    """

    revisions: dict[str, int] = field(default_factory=dict)
    written: list[float] = field(default_factory=list)
    replaced: list[float] = field(default_factory=list)

    def problem(self, said: Said) -> str:
        number = self.revisions.get(said.revision)
        if number is None or number >= len(self.written) or said.ended < self.written[number]:
            return f"judged by the set {said.revision!r}, which nobody had written"
        if number < len(self.replaced) and self.replaced[number] < said.begun:
            return f"judged by set {number}, which no worker had any more"
        named = set(re.findall(r"scan-(\d+)", said.text))
        wanted = {str(number)} if number % 2 == 0 and said.decision == "denied" else set()
        if named - {str(number)} or (number % 2 and named) or wanted - named:
            return f"judged by set {number}, and names the scans {sorted(named)}"
        return Rules.problem(self, said)


def replaced_faster(name: str, site: Site, seconds: float) -> Result:
    """Two sets in turn, `WRITES` times in `seconds`; then each of them stays."""
    sets, gate = _Sets(site, 2), site.gate
    rules = Rules(stricter=frozenset(sets.revisions[:1]), known=frozenset(sets.revisions))
    sets.write(1)
    wait_until(partial(_is_told, gate, sets.revisions[1]), _SETTLING_SECONDS)
    before = len(gate.log_lines("policy.loaded"))
    with Load(gate, site.images(), rules) as load:
        for number in range(WRITES):
            sets.write(number % 2)
            time.sleep(seconds / WRITES)
        seen = len(gate.log_lines("policy.loaded")) - before
        settled = max(_stay(sets, gate, number) for number in range(2))
    sets.restore()
    note = (
        f"{WRITES:,} writes, {seen} loads in 2 workers; one that stays is in force after "
        f"{settled:.1f} s"
    )
    return Result.of(name, [load.tally], note)


def _stay(sets: _Sets, gate: Server, number: int) -> float:
    """Write a set; the seconds until it is in force in every worker."""
    sets.write(number)
    written = time.monotonic()
    wait_until(partial(_is_told, gate, sets.revisions[number]), _SETTLING_SECONDS)
    return time.monotonic() - written


def _is_told(gate: Server, revision: str) -> bool:
    """Every worker judges by `revision`."""
    return _sample(revision) in gate.get("/metrics").body


def reloaded(name: str, site: Site, seconds: float) -> Result:
    """A thousand different sets, each written once every worker judges by the one before."""
    count = min(WRITES, round(seconds * RELOADS_A_SECOND))
    sets = _Sets(site, count)
    rules = OneInForce(
        stricter=frozenset(sets.revisions[::2]),
        revisions={revision: number for number, revision in enumerate(sets.revisions)},
    )
    rules.written.append(time.monotonic())
    sets.write(0)
    address = _free_address()
    with site.new_gate(POLICY_POLL=_POLL, METRICS_BIND=address) as gate:
        fetch, slowest = partial(_metrics, address), 0.0
        _wait_for(fetch, sets.revisions[0])
        before, started = _memory(gate), time.monotonic()
        with Load(gate, site.images(), rules) as load:
            for number in range(1, count):
                rules.written.append(time.monotonic())
                sets.write(number)
                _wait_for(fetch, sets.revisions[number])
                rules.replaced.append(time.monotonic())
                slowest = max(slowest, rules.replaced[-1] - rules.written[-1])
        took, after = time.monotonic() - started, _memory(gate)
        loads = len(gate.log_lines("policy.loaded"))
    sets.restore()
    _wait_for(lambda: site.gate.get("/metrics").body, revision_of(read_directory(site.shop.policy)))
    note = (
        f"{count:,} sets, {loads:,} loads in {WORKERS} workers in {took:.0f} s, the slowest "
        f"{slowest:.2f} s; {len(load.tally.revisions):,} sets seen in answers; memory of the workers "
        f"{before} -> {after}"
    )
    return Result.of(name, [load.tally], note)


def _wait_for(fetch: Callable[[], bytes], revision: str) -> None:
    """Until the metrics say that every worker judges by `revision`."""
    sample = _sample(revision)
    wait_until(lambda: sample in fetch(), _SETTLING_SECONDS)


def _sample(revision: str) -> bytes:
    return f'stagepass_policy_workers{{revision="{revision}"}} {WORKERS}.0\n'.encode()


def _metrics(address: str) -> bytes:
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read()
        except OSError:
            return b""


def _memory(gate: Server) -> str:
    """Resident memory and threads of each worker, in words."""
    told = []
    for pid in gate.workers():
        if b"webhook.listener" in Path(f"/proc/{pid}/cmdline").read_bytes():
            continue
        status = Path(f"/proc/{pid}/status").read_text()
        found = {n: int(v) for n, v in re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.M)}
        told.append(f"{found['VmRSS'] / 1024:.0f} MiB/{found['Threads']} threads")
    return " + ".join(told)


def _free_address() -> str:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"
