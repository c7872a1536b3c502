"""What a row of the table of rules is: what is read, our verdict, cosign's, and the tests that prove ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether evidence of this form counts."""

    ACCEPT = "accept"
    REFUSE = "refuse"


ACCEPT, REFUSE = Verdict.ACCEPT, Verdict.REFUSE


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule of reading, or one measured variation.

    `cosign` is the verdict of cosign 3.1.3 by `verify-attestation --key` without a log, None where it
    has none. `judged` names the variations of the fixture that the row sums up. `tests` are node ids.
    """

    id: str
    what: str
    verdict: Verdict
    cosign: Verdict | None
    tests: tuple[str, ...]
    judged: tuple[str, ...] = ()
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Then `reason` says why, on purpose."""
        return self.cosign is not None and self.cosign is not self.verdict


def at(path: str, *names: str) -> tuple[str, ...]:
    """The node ids of tests in one file below `tests`."""
    return tuple(f"tests/{path}::{name}" for name in names)
