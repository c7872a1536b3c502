"""
A kubelet's stand-in for one volume: a ConfigMap brought into a directory, again and again.

As a kubelet does it: files in a new directory `..TIME`, one rename that swaps the link `..data`, and
links into it for each key. It looks at the API server every `sync` seconds and up to half as long
again, the kubelet's own jitter (`syncFrequency`, 60 s unless it is set).
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import shutil
import ssl
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

_JITTER = 0.5


class ConfigMapVolume:
    """
    A context manager: `directory` (made here) follows the ConfigMap inside the block.

    A ConfigMap that is gone leaves the files as they are, as on a node.
    """

    def __init__(
        self,
        server: str,
        token: str,
        ca_file: Path,
        *,
        namespace: str,
        name: str,
        directory: Path,
        sync: float,
    ) -> None:
        self.directory, self._sync = directory, sync
        self.updates = 0
        """How often `..data` was swapped."""
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._address, self._headers = urlsplit(server), {"Authorization": f"Bearer {token}"}
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._content: dict[str, bytes] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="volume", daemon=True)
        directory.mkdir()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            with suppress(OSError, http.client.HTTPException):  # the API server is away: next time
                self._look()
            wait = self._sync * random.uniform(1, 1 + _JITTER)  # noqa: S311  # no secret

    def _look(self) -> None:
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, context=self._tls, timeout=10
        )
        with closing(connection):
            connection.request("GET", self._path, None, self._headers)
            answer = connection.getresponse()
            body: dict[str, Any] = json.loads(answer.read())
        if answer.status != http.HTTPStatus.OK:
            return
        content = {key: text.encode() for key, text in (body.get("data") or {}).items()}
        for key, encoded in (body.get("binaryData") or {}).items():
            content[key] = base64.b64decode(encoded)
        if content != self._content:
            self._swap(content)
            self._content = content

    def _swap(self, content: dict[str, bytes]) -> None:
        data, new = self.directory / "..data", self.directory / "..data_tmp"
        before = data.resolve() if data.is_symlink() else None
        version = self.directory / f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S.%f}"
        version.mkdir()
        for key, value in content.items():
            (version / key).write_bytes(value)
        new.symlink_to(version.name)
        new.rename(data)
        for key in content:
            if not (self.directory / key).is_symlink():
                (self.directory / key).symlink_to(f"..data/{key}")
        for link in self.directory.iterdir():
            if not link.name.startswith("..") and link.name not in content:
                link.unlink()
        if before is not None:
            shutil.rmtree(before)
        self.updates += 1
