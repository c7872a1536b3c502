"""What the user tells of a set that its source does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stagepass.importing.signers import root_file

ACCEPTABLE = ("transparency-log", "timestamp", "every-statement")
"""
What another gate may ask for and Stagepass does not: an entry in a log and a time stamp of a *key's*
signature, and that every statement of a type meets a condition, instead of one.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """Places, images and names for Pipelines; trust roots as bytes by name; the terms of exemptions."""

    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    pipeline: str = ""
    stage: str = "imported"
    predicate_type: str = ""
    roots: Mapping[str, bytes] = field(default_factory=dict)
    exempt_namespaces: tuple[str, ...] = ()
    exempt_reason: str = ""
    exempt_until: datetime | None = None

    @property
    def may_exempt(self) -> bool:
        """Whether everything is known that an exemption needs."""
        return bool(self.exempt_namespaces and self.exempt_reason and self.exempt_until)

    def root_files(self, names: Iterable[str]) -> dict[str, bytes]:
        """The files of those trust roots that were given."""
        return {root_file(name): self.roots[name] for name in names if name in self.roots}
