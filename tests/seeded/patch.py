"""What a seeded bug is: a small edit of the sources that brings a published vulnerability back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """In `file`, `old` (which stands there exactly once) becomes `new`."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Write the file anew. Raises `ValueError` unless `old` is found exactly once."""
        path = root / self.file
        text = path.read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: found {count} times, not once: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class Seed:
    """
    One bug. `origin` is where it was published, `what` what the edits re-introduce.

    `killers` are the test files (below `tests/`) of which one must go red.
    """

    id: str
    origin: str
    what: str
    killers: tuple[str, ...]
    edits: tuple[Edit, ...]


def seed(id_: str, origin: str, what: str, killers: str, *edits: tuple[str, str, str]) -> Seed:
    """A seed, with its killers as words and its edits as triples."""
    return Seed(id_, origin, what, tuple(killers.split()), tuple(Edit(*edit) for edit in edits))
