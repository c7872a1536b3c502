"""
A Git server on 127.0.0.1: `git http-backend` over HTTP, honest until its `faults` say otherwise.

    with GitServer(tmp_path, token="s3cret") as server:
        repository = server.create("deploy")
        repository.commit("main", {"app/cm.yaml": b"..."})
        Mirror(server.url("deploy"), ...).fetch(...)
"""

from __future__ import annotations

import base64
import os
import re
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.simulators.git_store import Repository

_BACKEND = ["git", "http-backend"]


@dataclass(slots=True)
class GitFaults:
    """What the server does wrong; change the fields at any time."""

    down: bool = False
    """Close every connection without an answer."""
    status: int = 0
    """Answer with this status and nothing else."""
    hang: bool = False
    """Take the request, and say nothing until the server stops."""
    truncate: bool = False
    """Send half of what a pack's answer holds, under its whole length."""
    redirect: str = ""
    """Send every request to this base URL."""
    dumb: bool = False
    """Serve files alone, as a server without `git http-backend` does."""
    pack: bytes = b""
    """Send this pack, whatever is asked for (the first fetch of a client alone)."""
    flip: bool = False
    """Change a byte in the middle of every pack."""
    frozen: dict[str, str] = field(default_factory=dict)
    """Say of these refs (full name → commit) that they still stand there."""


@dataclass(frozen=True, slots=True)
class GitRequest:
    method: str
    path: str
    headers: dict[str, str] = field(hash=False)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        faults = self.server.faults
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(GitRequest(self.command, self.path, headers))
        self.close_connection = True
        if faults.hang:
            self.server.stopping.wait()
        if faults.down or faults.hang:
            return
        if faults.redirect:
            self._answer(302, {"Location": f"{faults.redirect}{self.path}"}, b"")
        elif faults.status:
            self._answer(faults.status, {}, b"")
        elif self.server.authorization not in ("", headers.get("authorization", "")):
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        elif faults.pack and b"command=fetch" in body:
            self._send_pack(faults.pack)
        else:
            self._backend(body)

    def _send_pack(self, pack: bytes) -> None:
        """gitprotocol-v2(5): the section `packfile`, in side-band packets."""
        self.server.packs += 1
        chunks = (pack[at : at + 60_000] for at in range(0, len(pack), 60_000))
        lines = [b"packfile\n", *(b"\x01" + chunk for chunk in chunks)]
        content = b"".join(b"%04x" % (len(line) + 4) + line for line in lines) + b"0000"
        self._answer(200, {"Content-Type": "application/x-git-upload-pack-result"}, content)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        query = "" if self.server.faults.dumb else query
        env = {
            "PATH": os.defpath,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(_BACKEND, input=body, capture_output=True, env=env, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n") if line]
        answered = {name: value for name, _, value in lines}
        status = int(answered.pop("Status", "200").split()[0])
        if b"command=ls-refs" in body:
            content = self._frozen(content)
        self._answer(status, answered, content)

    def _frozen(self, content: bytes) -> bytes:
        """gitprotocol-v2(5): a line for each ref, `OID NAME`."""
        for name, commit in self.server.faults.frozen.items():
            line = re.compile(rb"[0-9a-f]{40}(?= %s\n)" % re.escape(name.encode()))
            content = line.sub(commit.encode(), content)
        return content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        faults = self.server.faults
        if (at := content.find(b"PACK")) >= 0:
            middle = (at + len(content)) // 2
            if faults.flip:
                changed = bytes((content[middle] ^ 0xFF,))
                content = content[:middle] + changed + content[middle + 1 :]
            content = content[:middle] if faults.truncate else content
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root: Path, authorization: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.authorization = root, authorization
        self.faults = GitFaults()
        self.requests: list[GitRequest] = []
        self.packs = 0
        self.stopping = threading.Event()

    def secure(self, certificate: Path) -> None:
        """Speak TLS. The handshake is the handler's, so that one that hangs stops nobody else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what some tests are about."""


class GitServer:
    """
    Serves the bare repositories below `root`; with a token it asks for HTTP Basic.

    `certificate` is a file with a key and its chain: then it speaks TLS, and is named `host` in URLs.
    """

    def __init__(
        self,
        root: Path,
        *,
        token: str = "",
        user: str = "git",
        certificate: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        pair = base64.b64encode(f"{user}:{token}".encode()).decode()
        self._server = _Server(root, f"Basic {pair}" if token else "")
        if certificate is not None:
            self._server.secure(certificate)
        scheme = "http" if certificate is None else "https"
        self.base = f"{scheme}://{host}:{self._server.server_address[1]}"
        self._root = root
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def faults(self) -> GitFaults:
        return self._server.faults

    @property
    def requests(self) -> list[GitRequest]:
        """Every request in order of arrival."""
        return self._server.requests

    @property
    def packs(self) -> int:
        """How often `faults.pack` was sent."""
        return self._server.packs

    def url(self, name: str) -> str:
        return f"{self.base}/{name}.git"

    def create(self, name: str) -> Repository:
        """A new, empty bare repository."""
        return Repository.create(self._root / f"{name}.git")

    def stop(self) -> None:
        """End hung requests too, and free the port. Twice is once."""
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
