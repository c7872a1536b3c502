"""
The wall clock of a gate is stepped by hours and weeks, forward and back, while it answers.

`stepped_clock.c` stands between the gate and the C library: a real gate, whose `CLOCK_REALTIME` is off
by what a file says, while the monotonic clock and the times of files stay as they are.
"""

from __future__ import annotations

import struct
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.load import Load
from tests.faults.result import Result
from tests.faults.site import Site
from tests.faults.tally import Kind, Rules, Said
from tests.simulators.registry import Faults
from tests.webhook.reviews import create
from tests.webhook.server import Server

_SOURCE = Path(__file__).with_name("stepped_clock.c")
_COMPILE_SECONDS = 60.0
_AFTER = [{"stage": "test", "maxAge": "3h"}]
_EXPECTED: Mapping[float, str] = {
    0: "",
    2: "",
    4: "STALE",
    24 * 31: "EXPIRED",
    -2: "FUTURE",
}
"""What is said at so many hours after the signature; "" is admitted. A pass lasts 30 days."""
_STEPS = (2, 4, 2, -2, 2, 0, -2, 0, 24 * 31, 2, 0)
_IMAGES = 30
_HANG_HOURS = 24.0
_HANG_SECONDS = (0.5, 5.0)
"""Within these the deadline of one second must end a review, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class ByTheClock(Rules):
    """
    An answer is that of the hour, and of none before: admissions in memory are for their time only.

    `steps`: when the clock was stepped, and to which hour.
    """

    steps: list[tuple[float, float]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def problem(self, said: Said) -> str:
        self.seen.add(said.codes)
        if said.decision == "undetermined":
            return ""
        if said.kind is Kind.UNATTESTED:
            return "allowed" if said.allowed else ""
        ends = [at for at, _ in self.steps[1:]] + [float("inf")]
        hours = {
            hour
            for (at, hour), end in zip(self.steps, ends, strict=True)
            if at <= said.ended and said.begun <= end
        }
        wanted = {_EXPECTED[hour] for hour in hours}
        right = "" in wanted if said.allowed else bool(wanted & set(said.codes.split(",")))
        return "" if right else f"wanted {sorted(wanted)} at hours {sorted(hours)}"


class _Clock:
    """A file that says by how much the clock of a gate is off."""

    def __init__(self, directory: Path) -> None:
        """Raises `CannotCompile`."""
        self._path, library = directory / "clock", directory / "stepped_clock.so"
        _compile(library)
        self._path.write_bytes(struct.pack("=q", 0))
        self.environ = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(self._path)}

    def step(self, hours: float) -> None:
        """In place and in one piece: the gate has the file mapped."""
        with self._path.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", round(hours * 3600)))


class CannotCompile(Exception):
    """There is no C compiler here, or it refuses; says why."""


def _compile(library: Path) -> None:
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS)
    except OSError as error:
        raise CannotCompile(f"it needs a C compiler (apt-get install gcc): {error}") from error
    if done.returncode:
        raise CannotCompile(f"cc refuses: {done.stderr.strip()[:200]}")


def stepped(name: str, site: Site, seconds: float) -> Result:
    """Over the edges of age, expiry and future and back, then once more while a review waits."""
    try:
        clock = _Clock(site.shop.evidence.parent)
    except CannotCompile as error:
        return Result(name, skipped=str(error))
    images = site.images()[:_IMAGES]
    site.shop.write(site.shop.variant({"pipeline.stages.1.after": _AFTER}))
    try:
        with site.new_gate(environ=clock.environ) as gate:
            rules = ByTheClock()
            rules.steps.append((time.monotonic(), 0))
            with Load(gate, images, rules) as load:
                for hour in _STEPS:
                    rules.steps.append((time.monotonic(), hour))
                    clock.step(hour)
                    time.sleep(seconds / len(_STEPS))
            hung = _hung(site, gate, clock)
    finally:
        site.shop.write(site.shop.text)
    low, high = _HANG_SECONDS
    if not low <= hung <= high:
        load.tally.wrong.append(f"a review waited {hung:.1f} s while the clock was stepped")
    codes = {code for text in rules.seen for code in text.split(",") if code}
    missing = {code for code in _EXPECTED.values() if code} - codes
    if missing:
        load.tally.wrong.append(f"no answer said {sorted(missing)}: the clock did not step")
    note = (
        f"{len(_STEPS)} steps of 2 h to 31 d, said {', '.join(sorted(codes))}; a review that "
        f"waited meanwhile ended after {hung:.1f} s of 1 s"
    )
    return Result.of(name, [load.tally], note)


def _hung(site: Site, gate: Server, clock: _Clock) -> float:
    """How long a review waits for a hung registry while the clock is stepped forward and back."""
    image = site.image(Kind.REGISTRY)
    with site.faulty(Faults(hang=True)), ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        answer = pool.submit(gate.judge, create(image))
        for hours in (_HANG_HOURS, -_HANG_HOURS, 0):
            time.sleep(0.2)
            clock.step(hours)
        codes = answer.result()["auditAnnotations"]["codes"]
        assert "DEADLINE" in codes, codes
        return time.monotonic() - started
