"""The miniature's services refuse what the real ones refuse, and end without a trace."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.sigstore import Lies, Sigstore
from tests.simulators.sigstore.log import pae
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server
from tests.simulators.sigstore.tsa import Tsa

KEY = ec.generate_private_key(ec.SECP256R1())
SHA256 = ec.ECDSA(hashes.SHA256())
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def github() -> Iterator[Provider]:
    with Provider("github") as provider:
        yield provider


@pytest.fixture(scope="module")
def server(github: Provider) -> Iterator[Server]:
    with Server(github) as server:
        yield server


def send(url: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
    """Status and body of a POST (of a GET without a body), whatever the status."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - our own loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def certificate(server: Server, token: str, subject: str = "") -> tuple[int, bytes]:
    """Ask for a certificate as cosign does: with a signature over the token's subject."""
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    proof = KEY.sign((subject or "repo:acme/shop:ref:refs/heads/main").encode(), SHA256)
    asked = {
        "publicKey": {"algorithm": "ECDSA", "content": pem.decode()},
        "proofOfPossession": base64.b64encode(proof).decode(),
    }
    body = json.dumps({"publicKeyRequest": asked}).encode()
    return send(f"{server.url}/api/v2/signingCert", body, Authorization=f"Bearer {token}")


def test_a_certificate_lives_ten_minutes_and_comes_with_its_chain(
    server: Server, github: Provider
) -> None:
    status, body = certificate(server, github.token())
    assert status == 200
    pems = json.loads(body)["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    leaf, intermediate, root = (x509.load_pem_x509_certificate(pem.encode()) for pem in pems)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(minutes=10)
    assert leaf.public_key() == KEY.public_key()
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)


def changed(token: str) -> str:
    """The token with another subject under the same signature."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    words = json.dumps({**claims, "sub": "repo:acme/shop:ref:refs/heads/other"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(words).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"audience": "https://github.com/acme"}, "InvalidAudienceError"),
        ({"late": -HOUR}, "ExpiredSignatureError"),
        ({"late": HOUR}, "ImmatureSignatureError"),
        ({"iss": "https://issuer.example.com"}, "issuer.example.com"),
        ({"job_workflow_ref": None}, "no claim 'job_workflow_ref'"),
    ],
    ids=str,
)
def test_no_certificate_for_a_token_that_is_not_for_now_and_for_sigstore(
    server: Server, github: Provider, words: dict[str, Any], reason: str
) -> None:
    made = {"at": NOW + words["late"]} if "late" in words else words
    status, body = certificate(server, github.token(**made))
    assert (status, reason in body.decode()) == (400, True), body


def test_no_certificate_without_the_providers_signature_or_the_key(
    server: Server, github: Provider
) -> None:
    with Provider("github") as impostor:
        assert certificate(server, impostor.token())[0] == 400
    assert certificate(server, changed(github.token()))[0] == 400
    assert certificate(server, "")[0] == 400
    assert certificate(server, github.token(), "somebody else")[0] == 400


@pytest.mark.parametrize("verified", [False, "true", None])
def test_no_certificate_for_an_address_that_nobody_verified(verified: object) -> None:
    with Provider("email") as provider, Server(provider) as server:
        token = provider.token(email_verified=verified)
        assert certificate(server, token, "kim@example.com")[0] == 400
        assert certificate(server, provider.token(), "kim@example.com")[0] == 200


def proposal(sig: bytes) -> dict[str, bytes]:
    """The same envelope, as each log wants it proposed."""
    payload, kind = b'{"a": 1}', "application/vnd.in-toto+json"
    key = KEY.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    envelope = {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(sig)}]}
    content = {"envelope": json.dumps(envelope), "verifiers": [b64(pem)]}
    spec = {"proposedContent": content}
    digest = hashes.Hash(hashes.SHA256())
    digest.update(pae(kind, payload))
    named = {"publicKey": {"rawBytes": b64(der)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    record = {
        "digest": b64(digest.finalize()),
        "signature": {"content": b64(sig), "verifier": named},
    }
    v1 = {"kind": "dsse", "apiVersion": "0.0.1", "spec": spec}
    return {
        "v1": json.dumps(v1).encode(),
        "v2": json.dumps({"hashedRekordRequestV002": record}).encode(),
    }


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("log", ["v1", "v2"])
def test_a_log_takes_no_entry_whose_signature_does_not_verify(server: Server, log: str) -> None:
    signed = pae("application/vnd.in-toto+json", b'{"a": 1}')
    good, bad = KEY.sign(signed, SHA256), KEY.sign(signed + b"x", SHA256)
    url = f"{server.url}/api/{log}/log/entries"
    assert send(url, proposal(bad)[log])[0] == 400
    assert send(url, b'{"kind": "dsse"}')[0] == 400
    assert send(url, proposal(good)[log])[0] == 201


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["openssl", "ts", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def chain_files(tsa: Tsa, directory: Path) -> tuple[Path, Path]:
    """The authority's root and its stamping certificate in PEM."""
    root, leaf = directory / "root.pem", directory / "tsa.pem"
    root.write_bytes(tsa.root.public_bytes(Encoding.PEM))
    leaf.write_bytes(tsa.certificate.public_bytes(Encoding.PEM))
    return root, leaf


@pytest.mark.parametrize("days", [0, 900], ids=["now", "long-ago"])
def test_openssl_accepts_a_stamp_over_its_data_by_its_authority_alone(
    days: int, tmp_path: Path
) -> None:
    sigstore, data, stamp = Sigstore(), tmp_path / "data", tmp_path / "stamp"
    at = NOW - timedelta(days=days)
    root, leaf = chain_files(sigstore.tsa, tmp_path)
    data.write_bytes(b"a signature")

    def accepted(response: bytes) -> bool:
        stamp.write_bytes(response)
        trust = ("-CAfile", root, "-untrusted", leaf, "-attime", str(int(at.timestamp())))
        return not openssl("-verify", "-data", data, "-in", stamp, *trust).returncode

    assert accepted(sigstore.stamp(b"a signature", at))
    assert not accepted(sigstore.stamp(b"another", at))
    assert not accepted(sigstore.stamp(b"a signature", at, Lies(foreign_tsa=True)))
    stamp.write_bytes(sigstore.stamp(b"a signature", at))
    assert (
        f"{at:%b} {at.day:2} {at:%H:%M:%S} {at.year} GMT"
        in openssl("-reply", "-in", stamp, "-text").stdout
    )


@pytest.mark.parametrize("flags", [(), ("-cert",), ("-cert", "-no_nonce")], ids=str)
def test_openssl_accepts_the_answer_to_its_query(
    server: Server, flags: tuple[str, ...], tmp_path: Path
) -> None:
    data, query, stamp = (tmp_path / name for name in ("data", "query", "stamp"))
    data.write_bytes(b"a signature")
    assert not openssl("-query", "-data", data, "-sha256", *flags, "-out", query).returncode

    status, answer = send(server.sigstore.tsa_url, query.read_bytes())
    stamp.write_bytes(answer)

    root, leaf = chain_files(server.sigstore.tsa, tmp_path)
    trust = ("-CAfile", root, "-untrusted", leaf)
    done = openssl("-verify", "-queryfile", query, "-in", stamp, *trust)
    assert (status, done.returncode) == (201, 0), done.stderr


def test_a_service_that_is_down_says_so_and_comes_back(server: Server, github: Provider) -> None:
    server.down = {"ca"}
    try:
        assert certificate(server, github.token())[0] == 503
    finally:
        server.down = set()
    assert certificate(server, github.token())[0] == 200


def test_the_token_endpoint_wants_the_jobs_own_secret(github: Provider, tmp_path: Path) -> None:
    variables = github.environment(tmp_path)
    url = f"{variables['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sigstore"
    secret = variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert send(url, None, Authorization=f"bearer {secret}")[0] == 200
    assert send(url, None, Authorization="bearer x")[0] == 401
    assert send(url, None)[0] == 401


def test_stopping_ends_every_thread_and_frees_the_port() -> None:
    before = set(threading.enumerate())
    with Provider("github") as provider, Server(provider) as server:
        certificate(server, provider.token())
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        assert set(threading.enumerate()) - before
    server.stop()
    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError), socket.create_connection(address, timeout=1):
        pass
