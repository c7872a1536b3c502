"""One import of example files, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagepass.cli.main import run
from stagepass.policy.load import load
from stagepass.policy.model import PolicySet
from tests.world import signer

EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True, slots=True)
class Imported:
    """Exit code, files and findings of one run."""

    code: int
    files: dict[str, str]
    findings: list[dict[str, Any]]
    errors: list[dict[str, str]]

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The policy documents."""
        return list(yaml.safe_load_all(self.files["policy.yaml"]))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Those of one kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def told(self, effect: str) -> dict[str, str]:
        """The paths of the findings with that effect, and their messages."""
        return {f["path"]: f["message"] for f in self.findings if f["effect"] == effect}

    def load(self) -> PolicySet:
        """The set itself."""
        return load({name: text.encode() for name, text in self.files.items()}, "imported")


Importer = Callable[..., Imported]


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Importer:
    """`imported("gba", NAME-OF-EXAMPLE-OR-TEXT..., options=[...])`."""

    def translate(system: str, *sources: str, options: tuple[str, ...] = ()) -> Imported:
        paths = []
        for index, source in enumerate(sources):
            path = EXAMPLES / source
            if "\n" in source:
                path = tmp_path / f"source-{index}.yaml"
                path.write_text(source)
            paths.append(str(path))
        capsys.readouterr()
        code = run(["import", system, *paths, *options, "--output", "json"])
        captured = capsys.readouterr()
        assert captured.out, captured.err
        return Imported(code, **json.loads(captured.out))

    return translate


def pem(name: str, indent: int) -> str:
    """The public key called `name`, for a block scalar that is indented so far."""
    return signer(name).public_pem.decode().strip().replace("\n", "\n" + " " * indent)
