from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stagepass.digest import Digest
from stagepass.statement import compose
from tests.docs.keyless import KeylessReader
from tests.docs.walk import blocks
from tests.repository.sources import ROOT
from tests.simulators.sigstore import Identity, Sigstore
from tests.world import NOW, PROVENANCE

_BLOCKS = blocks((ROOT / "docs" / "keys.md").read_text())
_NAME = "registry.example.com/shop"
_OTHER, _BEFORE, _SINCE = (Digest.of(text) for text in (b"other", b"before", b"since"))
_RELEASE = Identity(
    "https://token.actions.githubusercontent.com",
    "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main",
)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeylessReader:
    """In a directory with the trusted root of an instance; two commands of the page are stood in for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy").mkdir()
    sigstore = Sigstore(now=NOW)
    (tmp_path / "policy" / "acme.json").write_bytes(sigstore.trusted_root())
    return _Follower(tmp_path, sigstore)


class _Follower(KeylessReader):
    """Somebody who has cosign, and whose CI job signed in the past: times that no command can make."""

    def __init__(self, root: Path, sigstore: Sigstore) -> None:
        images = {"OTHER": _OTHER, "BEFORE": _BEFORE, "SINCE": _SINCE}
        variables = {name: f"{_NAME}/cart@{digest}" for name, digest in images.items()}
        super().__init__(root, variables)
        self._made: dict[str, Callable[[], None]] = {
            "ci.key at 2026-11-20T10:00:00Z": lambda: self._stamped(sigstore),
            "release.yml at 2026-11-25T09:00:00Z and 2026-11-25T23:00:00Z": lambda: self._run_jobs(
                sigstore
            ),
        }

    def stand_in(self, what: str) -> None:
        """As KeylessReader says."""
        self._made[what]()

    def _stamped(self, sigstore: Sigstore) -> None:
        key = load_pem_private_key((self.root / "keys" / "ci.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        at = datetime.fromisoformat("2026-11-20T10:00:00Z")
        self._store(_OTHER, sigstore.keyed(self._statement(_OTHER), key, at=at, tsa=True))

    def _run_jobs(self, sigstore: Sigstore) -> None:
        for digest, text in ((_BEFORE, "2026-11-25T09:00:00Z"), (_SINCE, "2026-11-25T23:00:00Z")):
            payload, at = self._statement(digest), datetime.fromisoformat(text)
            self._store(digest, sigstore.bundle(payload, _RELEASE, at=at, log="v2", tsa=True))

    def _statement(self, digest: Digest) -> bytes:
        predicate = (self.root / "provenance.json").read_bytes()
        assert json.loads(predicate)
        return compose(
            name=f"{_NAME}/cart", digest=digest, predicate_type=PROVENANCE, predicate=predicate
        )

    def _store(self, digest: Digest, bundle: bytes) -> None:
        folder = self.root / "evidence" / f"sha256-{digest.hex}"
        folder.mkdir(parents=True)
        (folder / "0.sigstore.json").write_bytes(bundle)


def test_the_page_does_what_it_says(reader: KeylessReader) -> None:
    """Files as written, commands as shown; every block is one of these, or stood in for."""
    assert sum(reader.follow(block) for block in _BLOCKS) == 26
