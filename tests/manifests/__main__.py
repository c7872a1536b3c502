"""
`python -m tests.manifests`: kinds by cases, as a real API server and a real gate answered.

Columns: applied (create, no-op, update, rollback; by kubectl, then server-side), made and written by
controllers, then dry runs of every mutation: removed, added and changed (refused by the gate, each by
its name), invalid (refused by the API server before), same (the server makes the same object of it),
allowed (by the stage's allow-list). A case that went otherwise fails.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest


def main() -> int:
    """Runs the tests, prints their table, and exits as they did."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "table"
        os.environ["STAGEPASS_TEST_TABLE"] = str(target)
        code = pytest.main(["-q", "-m", "cluster", "tests/cluster/test_manifest_gate.py"])
        if target.exists():
            sys.stdout.write(target.read_text())
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
