"""The system's authorities, or a file's, and no others."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass.digest import Digest
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from tests.registry import reference

BLOB = b"a blob over TLS"


@dataclass(frozen=True, slots=True)
class Secure:
    url: str
    certificate: Path


def _certificate(directory: Path, name: x509.GeneralName) -> Path:
    """Key and self-signed certificate for `name` in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "tls.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BLOB)))
        self.end_headers()
        self.wfile.write(BLOB)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the handshake is what some tests want."""


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    certificate = _certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Secure(f"https://127.0.0.1:{server.server_address[1]}", certificate)
        server.shutdown()
        thread.join()


def _blob(url: str, ca_file: Path | None) -> bytes:
    settings = RegistrySettings(mirrors={"reg.test": url})
    with RegistryClient(
        settings, Credentials(), frozenset({"reg.test"}), ca_file=ca_file
    ) as client:
        digest = Digest.of(BLOB)
        return client.blob(reference("reg.test", digest), digest, Deadline.after(5))


def test_a_ca_file_is_trusted(secure: Secure) -> None:
    assert _blob(secure.url, secure.certificate) == BLOB


def test_an_unknown_authority_is_refused(secure: Secure) -> None:
    with pytest.raises(Unavailable, match=r"TLS failed .*self-signed certificate"):
        _blob(secure.url, None)


def test_a_certificate_for_another_name_is_refused(secure: Secure) -> None:
    with pytest.raises(Unavailable, match=r"TLS failed .*ostname mismatch"):
        _blob(secure.url.replace("127.0.0.1", "localhost"), secure.certificate)


def test_a_registry_without_tls_costs_no_reading_of_authorities(tmp_path: Path) -> None:
    """They are read when TLS first needs them (36 ms): this file of them would never end."""
    authorities = tmp_path / "ca.pem"
    os.mkfifo(authorities)
    client = """
import sys
from stagepass.evidence import Deadline
from stagepass.registry.transport import Transport
sender = Transport(per_host=1, ca_file=None)
reply = sender.send("GET", sys.argv[1], deadline=Deadline.after(20), max_bytes=99, headers={})
print(reply.body.decode())
"""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = subprocess.run(
            [sys.executable, "-c", client, f"http://127.0.0.1:{server.server_port}/"],
            env={**os.environ, "SSL_CERT_FILE": str(authorities)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert (done.returncode, done.stdout.strip()) == (0, BLOB.decode()), done.stderr
