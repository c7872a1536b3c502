"""The miniature sigstore is real enough for sigstore's own client, and its lies are seen through."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.dsse import Statement
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

from tests.simulators.sigstore import Identity, Lies, Sigstore, Windows
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server
from tests.simulators.sigstore.tsa_openssl import openssl_stamp

JOB = Identity("https://ci.example.com", "https://ci.example.com/shop@refs/heads/main")
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.example.com/shop", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://example.com/predicate/v1",
        "predicate": {},
    }
).encode()
LOGS = {"v1": ("v1", False), "v1+tsa": ("v1", True), "v2+tsa": ("v2", True)}
SUBJECT = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
"""Of the job that `Provider("github")` is the issuer for."""
LATE = timedelta(minutes=11)
"""One more than a leaf lives."""


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore()


def verifier(root: bytes, tmp_path: Path) -> Verifier:
    file = tmp_path / "root.json"
    file.write_bytes(root)
    return Verifier(trusted_root=TrustedRoot.from_file(str(file)))


def verified(bundle: bytes, verifier: Verifier, identity: Identity = JOB) -> bytes:
    """The payload; raises sigstore's own error."""
    wanted = policy.Identity(identity=identity.subject, issuer=identity.issuer)
    return verifier.verify_dsse(Bundle.from_json(bundle), wanted)[1]


def sign(server: Server, token: str, log: str = "v1", tsa: bool = False) -> Bundle:
    """Sign `STATEMENT` over HTTP, as sigstore-python does."""
    config = ClientTrustConfig.from_json(server.sigstore.trust_config(log, tsa=tsa).decode())
    with SigningContext.from_trust_config(config).signer(IdentityToken(token)) as signer:
        return signer.sign_dsse(Statement(STATEMENT))


@pytest.mark.parametrize("log", LOGS)
def test_what_sigstore_signs_over_http_it_verifies_offline(log: str, tmp_path: Path) -> None:
    with Provider("github") as github, Server(github) as server:
        bundle = sign(server, github.token(), *LOGS[log])
        root = server.sigstore.trusted_root()

    signer = Identity("https://token.actions.githubusercontent.com", SUBJECT)
    judge = verifier(root, tmp_path)
    assert verified(bundle.to_json().encode(), judge, signer) == STATEMENT
    with pytest.raises(Error, match="do not match"):
        verified(bundle.to_json().encode(), judge, Identity(signer.issuer, SUBJECT + "x"))


@pytest.mark.parametrize(
    "lies", [Lies(foreign_log=True), Lies(foreign_entry=True), Lies(logged_after=LATE)], ids=str
)
def test_a_lie_told_over_http_is_in_what_was_signed(lies: Lies, tmp_path: Path) -> None:
    with Provider("github") as github, Server(github) as server:
        server.lies = lies
        bundle = sign(server, github.token()).to_json().encode()
        root = server.sigstore.trusted_root()
    with pytest.raises(Error, match=r"checkpoint|payload hash|not valid at validation time"):
        verified(bundle, verifier(root, tmp_path), Identity(github.issuer, SUBJECT))


def test_a_stamp_that_does_not_come_is_no_error_to_sigstores_client() -> None:
    """Whoever asked for one has to look whether it is there."""
    with Provider("github") as github, Server(github) as server:
        server.lies = Lies(no_tsa=True)
        bundle = sign(server, github.token(), "v1", tsa=True)
    material = json.loads(bundle.to_json())["verificationMaterial"]
    assert not material.get("timestampVerificationData", {}).get("rfc3161Timestamps")


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("days", [0, 100], ids=["now", "long-ago"])
def test_what_is_made_without_http_verifies(
    sigstore: Sigstore, log: str, days: int, tmp_path: Path
) -> None:
    name, tsa = LOGS[log]
    at = datetime.now(UTC) - timedelta(days=days)
    bundle = sigstore.bundle(STATEMENT, JOB, at=at, log=name, tsa=tsa)

    assert verified(bundle, verifier(sigstore.trusted_root(), tmp_path)) == STATEMENT
    with pytest.raises(Error):
        verified(bundle, verifier(Sigstore().trusted_root(), tmp_path))


def test_a_stamp_that_openssl_wrote_is_as_good(sigstore: Sigstore, tmp_path: Path) -> None:
    document = json.loads(sigstore.bundle(STATEMENT, JOB, log="v2"))
    signature = base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    judge = verifier(sigstore.trusted_root(), tmp_path)

    def stamped(data: bytes) -> bytes:
        stamp = base64.b64encode(openssl_stamp(sigstore.tsa, data, tmp_path)).decode()
        stamps = {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}
        document["verificationMaterial"]["timestampVerificationData"] = stamps
        return json.dumps(document).encode()

    assert verified(stamped(signature), judge) == STATEMENT
    with pytest.raises(Error, match="not enough sources of verified time"):
        verified(stamped(b"another"), judge)


@pytest.mark.parametrize("address", ["kim@example.com", "https://example.com/a b"])
def test_an_address_is_an_email_and_a_url_is_a_uri(sigstore: Sigstore, address: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = sigstore.certify(key, Identity("https://ci.example.com", address))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    kind = x509.RFC822Name if "@" in address else x509.UniformResourceIdentifier
    assert names.get_values_for_type(kind) == [address]


def refuses(sigstore: Sigstore, log: str, lies: Lies, reason: str, tmp_path: Path) -> None:
    """sigstore-python takes no bundle made so, for `reason`."""
    name, tsa = LOGS[log]
    bundle = sigstore.bundle(STATEMENT, JOB, log=name, tsa=tsa, lies=lies)
    with pytest.raises(Error, match=reason):
        verified(bundle, verifier(sigstore.trusted_root(), tmp_path))


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize(
    ("lies", "reason"),
    [
        (Lies(foreign_authority=True), "certificate chain"),
        (Lies(no_sct=True), "does not contain a signed certificate timestamp"),
        (Lies(two_scts=True), "Expected one certificate timestamp, found 2"),
        (Lies(foreign_sct=True), "SCT verify failed"),
        (Lies(no_subject=True), "2.5.29.17"),
        (Lies(no_code_signing=True), "code signing"),
        (Lies(other_issuer="https://evil.example.com"), "evil.example.com"),
        (Lies(late_leaf=LATE), "not valid at validation time"),
        (Lies(foreign_log=True), "checkpoint: invalid signature"),
        (Lies(stolen_log_id=True), "checkpoint: invalid signature"),
        (Lies(foreign_entry=True), "does not match bundle|inconsistent with other materials"),
        (Lies(foreign_certificate=True), "do not match bundle|inconsistent with other materials"),
        (Lies(wrong_proof=True), "invalid root hash"),
        (Lies(wrong_root=True), "invalid root hash"),
        (Lies(unsigned_checkpoint=True), "checkpoint: invalid signature"),
        (Lies(no_checkpoint=True), "with checkpoint"),
        (Lies(foreign_signature=True), "DSSE: invalid signature"),
    ],
    ids=str,
)
def test_a_lie_about_the_certificate_or_the_entry_is_refused(
    sigstore: Sigstore, log: str, lies: Lies, reason: str, tmp_path: Path
) -> None:
    refuses(sigstore, log, lies, reason, tmp_path)


@pytest.mark.parametrize(
    ("log", "lies", "reason"),
    [
        ("v1", Lies(logged_after=LATE), "not valid at validation time"),
        ("v1", Lies(logged_after=-LATE), "not valid at validation time"),
        ("v1", Lies(moved_time=timedelta(seconds=5)), "SET: invalid inclusion promise"),
        ("v1", Lies(forged_promise=True), "SET: invalid inclusion promise"),
        ("v1", Lies(no_promise=True), "inclusion promise or signed timestamp"),
        ("v1+tsa", Lies(stamped_after=LATE), "not valid at validation time"),
        ("v2+tsa", Lies(stamped_after=LATE), "not valid at validation time"),
        ("v2+tsa", Lies(stamped_after=-LATE), "not valid at validation time"),
        ("v2+tsa", Lies(no_tsa=True), "inclusion promise or signed timestamp"),
        ("v2+tsa", Lies(foreign_tsa=True), "not enough sources of verified time"),
        ("v2+tsa", Lies(foreign_stamp=True), "not enough sources of verified time"),
    ],
    ids=str,
)
def test_a_lie_about_the_time_is_refused(
    sigstore: Sigstore, log: str, lies: Lies, reason: str, tmp_path: Path
) -> None:
    refuses(sigstore, log, lies, reason, tmp_path)


HOUR_AGO, IN_AN_HOUR = (datetime.now(UTC) + timedelta(hours=h) for h in (-1, 1))


def named(value: object) -> str:
    """Without the time, which differs between the processes of one run."""
    if not isinstance(value, Windows):
        return str(value)
    parts = [
        f"{part}-{'ended' if getattr(value, part)[1] else 'to-begin'}"
        for part in ("ca", "ct", "v1", "v2", "tsa")
        if any(getattr(value, part))
    ]
    return "-".join((*parts, *(f"no-{part}" for part in sorted(value.without))))


@pytest.mark.parametrize(
    ("log", "windows"),
    [
        ("v2+tsa", Windows(tsa=(None, HOUR_AGO))),
        ("v2+tsa", Windows(tsa=(IN_AN_HOUR, None))),
        ("v2+tsa", Windows(v2=(IN_AN_HOUR, None))),
        ("v1", Windows(v1=(IN_AN_HOUR, None))),
        ("v1", Windows(ca=(IN_AN_HOUR, None))),
        ("v1", Windows(ct=(IN_AN_HOUR, None))),
        ("v1", Windows(without=frozenset({"ca"}))),
        ("v1", Windows(without=frozenset({"ct"}))),
        ("v1", Windows(without=frozenset({"v1"}))),
        ("v2+tsa", Windows(without=frozenset({"tsa"}))),
    ],
    ids=named,
)
def test_a_root_that_does_not_trust_a_part_at_the_time_refuses(
    sigstore: Sigstore, log: str, windows: Windows, tmp_path: Path
) -> None:
    """
    A part's end is heeded for time stamps alone: sigstore takes retired CAs and logs for good.

    Whoever builds on it has to look at those ends; cosign does (test_cosign_keyless.py).
    """
    name, tsa = LOGS[log]
    bundle = sigstore.bundle(STATEMENT, JOB, log=name, tsa=tsa)
    assert verified(bundle, verifier(sigstore.trusted_root(), tmp_path)) == STATEMENT
    with pytest.raises(Error):
        verified(bundle, verifier(sigstore.trusted_root(windows), tmp_path))
