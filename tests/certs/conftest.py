from __future__ import annotations

from pathlib import Path

import pytest

from certs.__main__ import main
from tests.certs.tls import SERVICE


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A CA and a serving pair, issued the way people do it."""
    path = tmp_path / "new" / "dev"
    assert main(["issue", str(path), *SERVICE, "--ip", "127.0.0.1", "--dns", "gate.test"]) == 0
    return path
