"""The shop that the commands work on, and what a command left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stagepass.cli.main import run
from stagepass.clock import format_time
from tests.world import IMAGE, NOW, good_evidence, stored


@dataclass(frozen=True, slots=True)
class Result:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        """Its only JSON line."""
        (line,) = self.lines
        return line


@dataclass(frozen=True, slots=True)
class Shop:
    """A directory with a policy set, every private key, and an evidence directory that is empty."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def policy(self) -> Path:
        return self.root / "policy"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    def key(self, name: str) -> str:
        return str(self.root / "private" / f"{name}.key")

    def prove(self) -> None:
        """Store what admits the image everywhere."""
        stored(self.evidence, good_evidence())

    def run(self, *arguments: str) -> Result:
        """One command in this process."""
        self.capsys.readouterr()
        code = run(list(arguments))
        out, err = self.capsys.readouterr()
        return Result(code, out, err)

    def decide(self, command: str, *arguments: str, now: str = format_time(NOW)) -> Result:
        """`verify`, `explain` or `admit` over the evidence directory, as JSON."""
        options = ["--policy", str(self.policy), "--evidence", f"dir:{self.evidence}"]
        return self.run(
            command, *arguments, *options, "--now", now, "--output", "json", "--offline"
        )

    def verify(self, stage: str, *arguments: str, image: str = str(IMAGE)) -> Result:
        """`verify` one image."""
        return self.decide("verify", image, "--stage", stage, *arguments)

    def attest(self, *arguments: str, image: str = str(IMAGE)) -> Result:
        """`attest`, into the evidence directory, as JSON."""
        options = ["--evidence", f"dir:{self.evidence}", "--now", format_time(NOW)]
        return self.run("attest", image, *arguments, *options, "--output", "json")

    def bundles(self) -> list[Path]:
        """Every stored bundle."""
        return sorted(self.evidence.glob("*/*.sigstore.json"))
