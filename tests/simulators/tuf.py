"""A TUF repository on loopback, honest until told otherwise: signed by its own keys with `tuf.api`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

__all__ = ["TufRepository", "serve"]

_YEAR = timedelta(days=365)


@dataclass(slots=True)
class TufRepository:
    """
    Files by path, as a client asks for them.

    `publish` signs the next version of everything; a test may then put any bytes at any path into
    `files`. `redirects` maps a path to where it leads; `asked` are the paths that were asked for.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    version: int = 0
    key: CryptoSigner = field(default_factory=CryptoSigner.generate_ecdsa)
    url: str = ""

    def __post_init__(self) -> None:
        root = Root(expires=datetime.now(UTC) + 10 * _YEAR, consistent_snapshot=True)
        for role in ("root", "timestamp", "snapshot", "targets"):
            root.add_key(self.key.public_key, role)
        self.files["1.root.json"] = self._signed(root, self.key)

    @property
    def root(self) -> bytes:
        """Its first root, as whoever runs it hands it out."""
        return self.files["1.root.json"]

    def publish(
        self,
        targets: dict[str, bytes],
        *,
        life: timedelta = _YEAR,
        key: CryptoSigner | None = None,
        version: int | None = None,
    ) -> None:
        """Sign `targets` as the next (or that) version; the timestamp lives for `life`."""
        key = key or self.key
        self.version = version if version is not None else self.version + 1
        end = datetime.now(UTC) + _YEAR
        listed = Targets(version=self.version, expires=end)
        for name, data in targets.items():
            listed.targets[name] = TargetFile.from_data(name, data, ["sha256"])
            digest = listed.targets[name].hashes["sha256"]
            self.files[f"targets/{digest}.{name}"] = data
        self.files[f"{self.version}.targets.json"] = self._signed(listed, key)
        snapshot = Snapshot(version=self.version, expires=end)
        snapshot.meta["targets.json"] = MetaFile(self.version)
        self.files[f"{self.version}.snapshot.json"] = self._signed(snapshot, key)
        timestamp = Timestamp(version=self.version, expires=datetime.now(UTC) + life)
        timestamp.snapshot_meta = MetaFile(self.version)
        self.files["timestamp.json"] = self._signed(timestamp, key)

    def target(self, name: str) -> str:
        """The path that the newest target of that name lies at."""
        return [path for path in self.files if path.endswith(f".{name}")][-1]

    def _signed(self, signed: Signed, key: CryptoSigner) -> bytes:
        metadata = Metadata(signed)
        metadata.sign(key)
        return metadata.to_bytes()


@contextmanager
def serve(repository: TufRepository) -> Iterator[TufRepository]:
    """Serve it on a loopback port; `url` says where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/")
            repository.asked.append(path)
            if path in repository.redirects:
                self.send_response(302)
                self.send_header("Location", repository.redirects[path])
                self.end_headers()
                return
            data = repository.files.get(path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    repository.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
