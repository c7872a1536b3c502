"""Keyless: real cosign, the miniature sigstore, sigstore's own client and Stagepass, each on each."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore.dsse import Statement
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

from stagepass.errors import AttestationError
from stagepass.keyless.verify import CertificateVerifier
from tests.cluster.keyless_shop import JOB, KeylessShop, statement
from tests.cluster.signer import Cosign
from tests.simulators.registry import STAGE_PASSED, Registry
from tests.simulators.sigstore import Identity, Lies, Sigstore, Windows
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.root import Window
from tests.simulators.sigstore.server import Server

pytestmark = pytest.mark.cluster

LOGS = {"v1": ("v1", False), "v1+tsa": ("v1", True), "v2+tsa": ("v2", True)}
OTHERS = [
    Identity(JOB.issuer, JOB.subject.replace("main", "other")),
    Identity("https://gitlab.com", JOB.subject),
]
LATE = timedelta(minutes=11)
"""One more than a leaf lives."""


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[Server, Provider]]:
    with Provider("github") as github, Server(github) as server:
        yield server, github


@pytest.fixture
def shop(
    tmp_path: Path, registry: Registry, cosign: Cosign, services: tuple[Server, Provider]
) -> KeylessShop:
    shop = KeylessShop(tmp_path, registry.host, *services, cosign)
    shop.trust(services[0].sigstore.trusted_root())
    return shop


@pytest.fixture
def image(registry: Registry) -> str:
    digest = registry.push_image("shop/web", secrets.token_bytes(8))
    return f"{registry.host}/shop/web@{digest}"


def a_pass() -> str:
    """Every member of a stage-passed/v1 predicate that is checked, and nothing else."""
    now = datetime.now(UTC)
    predicate = {
        "pipeline": "shop",
        "stage": "test",
        "environment": {"clusterName": "test"},
        "verificationResult": "PASSED",
        "timeVerified": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(predicate)


@pytest.mark.parametrize("log", LOGS)
def test_what_cosign_signs_as_a_job_cosign_and_the_gate_accept(
    shop: KeylessShop, image: str, log: str
) -> None:
    name, tsa = LOGS[log]
    assert shop.verify(image).returncode == 1

    done = shop.cosign_attests(image, a_pass(), name, tsa=tsa)

    assert done.returncode == 0, done.stderr
    assert shop.cosign_accepts(image)
    assert [shop.cosign_accepts(image, other) for other in OTHERS] == [False, False]
    assert not shop.cosign_accepts(image, root=Sigstore().trusted_root())
    gate = shop.verify(image)
    assert gate.returncode == 0, gate.stdout + gate.stderr


@pytest.mark.parametrize("log", LOGS)
def test_what_stagepass_signs_as_a_job_cosign_and_the_gate_accept(
    shop: KeylessShop, image: str, log: str
) -> None:
    name, tsa = LOGS[log]
    done = shop.attest(image, name, tsa=tsa)

    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.cosign_accepts(image)
    assert [shop.cosign_accepts(image, other) for other in OTHERS] == [False, False]
    gate = shop.verify(image)
    assert gate.returncode == 0, gate.stdout + gate.stderr


@pytest.mark.parametrize("log", LOGS)
def test_what_sigstores_own_client_signs_cosign_and_the_gate_accept(
    shop: KeylessShop, registry: Registry, image: str, log: str
) -> None:
    name, tsa = LOGS[log]
    text = shop.server.sigstore.trust_config(name, tsa=tsa).decode()
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(text))
    with context.signer(IdentityToken(shop.provider.token())) as signer:
        bundle = signer.sign_dsse(Statement(statement(image, a_pass())))
    registry.attach("shop/web", image.partition("@")[2], bundle.to_json().encode())

    assert shop.cosign_accepts(image)
    assert not shop.cosign_accepts(image, OTHERS[0])
    gate = shop.verify(image)
    assert gate.returncode == 0, gate.stdout + gate.stderr


@pytest.mark.parametrize("log", LOGS)
def test_what_cosign_signs_sigstores_own_client_accepts(
    shop: KeylessShop, registry: Registry, image: str, log: str, tmp_path: Path
) -> None:
    name, tsa = LOGS[log]
    files = {
        "config.json": shop.server.sigstore.signing_config(name, tsa=tsa),
        "root.json": shop.server.sigstore.trusted_root(),
        "token": shop.provider.token().encode(),
        "statement.json": statement(image, a_pass()),
    }
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    flags = {
        "--signing-config": "config.json",
        "--trusted-root": "root.json",
        "--identity-token": "token",
        "--statement": "statement.json",
        "--bundle": "bundle.json",
    }
    words = [word for flag, file in flags.items() for word in (flag, str(tmp_path / file))]
    shop.cosign.run("attest-blob", "--yes", *words)

    bundle = (tmp_path / "bundle.json").read_bytes()
    config = ClientTrustConfig.from_json(shop.server.sigstore.trust_config().decode())
    wanted = policy.Identity(identity=JOB.subject, issuer=JOB.issuer)
    judge = Verifier(trusted_root=config.trusted_root)
    assert judge.verify_dsse(Bundle.from_json(bundle), wanted)[1] == files["statement.json"]

    registry.attach("shop/web", image.partition("@")[2], bundle)
    assert shop.cosign_accepts(image)
    assert shop.verify(image).returncode == 0


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore()


HEX = "ab" * 32
STATEMENT = statement(f"registry.example.com/shop@sha256:{HEX}", a_pass())


def accepted(cosign: Cosign, bundle: bytes, root: bytes, *who: str) -> bool:
    """`cosign verify-blob-attestation` about `HEX`, by default for `JOB`."""
    (cosign.directory / "given.json").write_bytes(bundle)
    (cosign.directory / "given-root.json").write_bytes(root)
    named = ("--certificate-identity", JOB.subject, "--certificate-oidc-issuer", JOB.issuer)
    trust = ("--trusted-root", "given-root.json", "--type", STAGE_PASSED, *(who or named))
    about = ("--bundle", "given.json", "--digest", HEX, "--digestAlg", "sha256")
    return not cosign.run("verify-blob-attestation", *trust, *about, check=False).returncode


@pytest.mark.parametrize("days", [0, 100], ids=["now", "long-ago"])
@pytest.mark.parametrize("log", LOGS)
def test_what_is_made_without_http_cosign_accepts(
    cosign: Cosign, sigstore: Sigstore, log: str, days: int
) -> None:
    name, tsa = LOGS[log]
    at = datetime.now(UTC) - timedelta(days=days)
    bundle = sigstore.bundle(STATEMENT, JOB, at=at, log=name, tsa=tsa)
    assert accepted(cosign, bundle, sigstore.trusted_root())
    assert not accepted(cosign, bundle, Sigstore().trusted_root())


@pytest.mark.parametrize("log", ["v1", "v2+tsa"])
@pytest.mark.parametrize(
    "lies",
    [
        Lies(foreign_authority=True),
        Lies(no_sct=True),
        Lies(foreign_sct=True),
        Lies(no_subject=True),
        Lies(no_code_signing=True),
        Lies(late_leaf=LATE),
        Lies(foreign_log=True),
        Lies(stolen_log_id=True),
        Lies(foreign_entry=True),
        Lies(foreign_certificate=True),
        Lies(wrong_proof=True),
        Lies(wrong_root=True),
        Lies(unsigned_checkpoint=True),
        Lies(no_checkpoint=True),
        Lies(foreign_signature=True),
        Lies(logged_after=LATE, stamped_after=LATE),
        Lies(logged_after=-LATE, stamped_after=-LATE),
        Lies(forged_promise=True, foreign_tsa=True),
        Lies(no_promise=True, no_tsa=True),
        Lies(moved_time=timedelta(seconds=5), foreign_stamp=True),
    ],
    ids=str,
)
def test_cosign_and_the_gate_refuse_the_lie(
    cosign: Cosign, sigstore: Sigstore, log: str, lies: Lies
) -> None:
    """Lies about both sources of time stand together: each log has but one of them."""
    name, tsa = LOGS[log]
    bundle = sigstore.bundle(STATEMENT, JOB, log=name, tsa=tsa, lies=lies)
    assert not accepted(cosign, bundle, sigstore.trusted_root())
    with pytest.raises(AttestationError):
        CertificateVerifier({"mini": sigstore.trusted_root()}).verify(bundle)


@pytest.mark.parametrize(
    "lies",
    [Lies(two_subjects=True), Lies(two_scts=True), Lies(other_issuer="https://evil.example.com")],
    ids=str,
)
def test_cosign_takes_what_is_ours_to_refuse(
    cosign: Cosign, sigstore: Sigstore, lies: Lies
) -> None:
    """Any of several names, and the new issuer over the old one."""
    bundle = sigstore.bundle(STATEMENT, JOB, lies=lies)
    assert accepted(cosign, bundle, sigstore.trusted_root())
    with pytest.raises(AttestationError):
        CertificateVerifier({"mini": sigstore.trusted_root()}).verify(bundle)


def only(part: str, window: Window) -> Windows:
    """A root's windows where one part is trusted for a while and the others always."""
    match part:
        case "ca":
            return Windows(ca=window)
        case "ct":
            return Windows(ct=window)
        case "v1":
            return Windows(v1=window)
    return Windows(tsa=window)


@pytest.mark.parametrize("part", ["ca", "ct", "v1", "tsa"])
def test_cosign_heeds_from_when_until_when_a_root_trusts_a_part(
    cosign: Cosign, sigstore: Sigstore, part: str
) -> None:
    """All but the end of a Rekor v2 log, which has no time of its own to compare."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    name, tsa = LOGS["v2+tsa" if part == "tsa" else "v1"]
    bundle = sigstore.bundle(STATEMENT, JOB, log=name, tsa=tsa)
    within, past, to_come = (now - hour, now + hour), (None, now - hour), (now + hour, None)

    assert accepted(cosign, bundle, sigstore.trusted_root(only(part, within)))
    assert not accepted(cosign, bundle, sigstore.trusted_root(only(part, past)))
    assert not accepted(cosign, bundle, sigstore.trusted_root(only(part, to_come)))
    without = Windows(without=frozenset({part}))
    assert not accepted(cosign, bundle, sigstore.trusted_root(without))


@pytest.mark.parametrize("log", LOGS)
def test_cosign_accepts_a_key_with_the_miniatures_witnesses_and_refuses_false_ones(
    cosign: Cosign, sigstore: Sigstore, log: str
) -> None:
    name, tsa = LOGS[log]
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (cosign.directory / "own.pub").write_bytes(pem)

    def accepts(lies: Lies) -> bool:
        bundle = sigstore.keyed(STATEMENT, key, log=name, tsa=tsa, lies=lies)
        return accepted(cosign, bundle, sigstore.trusted_root(), "--key", "own.pub")

    assert accepts(Lies())
    assert not accepts(Lies(foreign_entry=True))
    assert not accepts(Lies(unsigned_checkpoint=True))
    assert not accepts(Lies(foreign_log=True))
