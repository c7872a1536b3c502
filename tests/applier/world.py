"""Real Git over loopback HTTP for the applier's tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from applier.git import GitCredentials, Mirror, Ref, TreeLimits
from applier.render import Limits, Sandbox

MAIN = Ref("branch", "refs/heads/main")
_PROBE = "apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: probe\\n"


def mirror(url: str, directory: Path, **options: object) -> Mirror:
    limits = options.get("limits")
    return Mirror(
        url,
        directory,
        GitCredentials(),
        allow_file=bool(options.get("allow_file")),
        limits=limits if isinstance(limits, TreeLimits) else TreeLimits(),
    )


class Listener:
    """Counts who connects to it; it never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                connection.close()

    def stop(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextmanager
def listener() -> Iterator[Listener]:
    running = Listener()
    try:
        yield running
    finally:
        running.stop()


def stand_in(directory: Path, body: str = ":", *, limits: Limits | None = None) -> Sandbox:
    """
    A sandbox whose kubectl is a shell script: it prints one ConfigMap, then runs `body`.

    It needs the shell, so it never passes for isolated: what it is under are the limits alone.
    """
    program = directory / "kubectl"
    program.write_text(f"#!/bin/sh\nprintf '{_PROBE}'\n{body}\n")
    program.chmod(0o755)
    return Sandbox.probe(kubectl=program, require=False, limits=limits)


def running(word: str) -> list[str]:
    """Command lines of the programs that have `word` in it; none of ours, as pytest has not."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if word in text:
            found.append(text)
    return found
