from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "base"


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def one(kind: str) -> dict[str, Any]:
    found = [
        document
        for path in BASE.glob("*.yaml")
        for document in documents(path)
        if document["kind"] == kind
    ]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} in {BASE}"
    return found[0]
