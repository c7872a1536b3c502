"""The same time stamp authority, with `openssl ts` writing: a second hand, for the present alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.simulators.sigstore.tsa import Tsa

__all__ = ["openssl_stamp"]

# No `certs`: openssl lists the signer's certificate twice then, and not in the order of DER, which
# rfc3161-client refuses to parse.
_CONFIG = """\
[tsa]
default_tsa = this
[this]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl_stamp(tsa: Tsa, data: bytes, directory: Path) -> bytes:
    """A response, in DER, that `data` exists now; `directory` gets the key and openssl's files."""
    pem = tsa.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "tsa.cnf": _CONFIG.encode(),
        "serial": b"1000\n",
        "tsa.pem": tsa.certificate.public_bytes(Encoding.PEM),
        "tsa.key": pem,
        "data": data,
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    query = ("-query", "-data", "data", "-sha256", "-cert", "-out", "query")
    reply = ("-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "stamp")
    for words in (query, reply):
        command = ["openssl", "ts", *words]
        subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=30)
    return (directory / "stamp").read_bytes()
