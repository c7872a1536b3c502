from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.keyless import KeylessReader
from tests.docs.walk import blocks
from tests.repository.sources import ROOT
from tests.simulators.sigstore import Sigstore
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server
from tests.simulators.tuf import TufRepository, serve

_BLOCKS = blocks((ROOT / "docs" / "trust-root.md").read_text())
_OLD, _NEW = "sigstore.example.com", "sigstore-2027.example.com"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeylessReader]:
    """In a CI job of GitHub's, with two private instances and a stand-in for the public one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    with ExitStack() as stack:
        job = stack.enter_context(Provider("github"))
        for name, value in job.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        follower = KeylessReader(tmp_path)
        public = stack.enter_context(_published(Sigstore("public good"), tmp_path, "root-public"))
        follower.public_good = f" --url {public.url} --root root-public.json"
        for host, year in ((_OLD, ""), (_NEW, "-2027")):
            server = stack.enter_context(Server(job, name=host))
            sigstore = server.sigstore
            tuf = stack.enter_context(_published(sigstore, tmp_path, f"root{year}"))
            follower.stands_in |= {f"https://tuf.{host}": tuf.url, f"https://{host}": server.url}
            config = sigstore.signing_config("v2", tsa=True)
            (tmp_path / f"signing_config{year}.json").write_bytes(config)
        yield follower


def _published(sigstore: Sigstore, directory: Path, root: str) -> _Served:
    return _Served(sigstore, directory / f"{root}.json")


class _Served:
    """The TUF repository of an instance; its first root is put at `root`, as who runs it hands it out."""

    def __init__(self, sigstore: Sigstore, root: Path) -> None:
        self._sigstore, self._root = sigstore, root
        self._running = ExitStack()

    def __enter__(self) -> TufRepository:
        repository = self._running.enter_context(serve(TufRepository()))
        repository.publish({"trusted_root.json": self._sigstore.trusted_root()})
        self._root.write_bytes(repository.root)
        return repository

    def __exit__(self, *_: object) -> None:
        self._running.close()


def test_the_page_does_what_it_says(reader: KeylessReader) -> None:
    """Files as written, commands as shown, over HTTP; every block is one of these."""
    assert sum(reader.follow(block) for block in _BLOCKS) == 23
