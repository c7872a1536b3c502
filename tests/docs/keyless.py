"""Whoever follows a page about Sigstore: its services are on loopback, and what the page shows is typed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.docs.walk import Block, Reader, commands

__all__ = ["KeylessReader"]

_UPDATE = "stagepass trust update "


@dataclass(slots=True)
class KeylessReader(Reader):
    """
    A reader for whom each URL of `stands_in` leads to another.

    `public_good` are the options that make `trust update` ask somebody else than the public instance.
    In a policy, `$NAME` is the sha256 of `policy/name.json`, as `trust update` has printed it.
    """

    stands_in: dict[str, str] = field(default_factory=dict)
    public_good: str = ""

    def follow(self, block: Block) -> int:
        """Do what the block says; how many commands that were."""
        kind, _, name = block.mark.partition(" ")
        if kind == "policy":
            self._note_digests()
            self.write_policy(self._expanded(block.text))
        elif kind == "file":
            self.write(name, block.text)
        elif kind == "stands":
            self.stand_in(name.removeprefix("for: "))
        else:
            assert kind == "run", block
            typed = list(commands(block))
            for command in typed:
                self.type(command)
                self._note_digests()
            return len(typed)
        return 0

    def stand_in(self, what: str) -> None:
        """Bring about what the block's commands would have: those that take other tools, or the past."""
        raise AssertionError(f"nothing stands in for {what}")

    def _note_digests(self) -> None:
        for path in (self.root / "policy").glob("*.json"):
            name = path.stem.upper().replace("-", "_")
            self.variables[name] = hashlib.sha256(path.read_bytes()).hexdigest()

    def _expanded(self, text: str) -> str:
        # Not super(): a dataclass with slots is another class than the one it was written as.
        text = Reader._expanded(self, text)
        if text.startswith(_UPDATE) and " --url " not in text:
            text += self.public_good
        for shown, real in self.stands_in.items():
            text = text.replace(shown, real)
        return text

    def _run(self, line: str) -> tuple[int, str]:
        code, said = Reader._run(self, line)
        for shown, real in self.stands_in.items():
            said = said.replace(real, shown)
        return code, said
