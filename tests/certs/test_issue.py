from __future__ import annotations

import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.__main__ import main
from certs.issue import issue
from certs.names import Names
from tests.certs.tls import SERVICE, handshake

ROOT = Path(__file__).parents[2]


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "gate",
        "gate.stagepass-system",
        "gate.stagepass-system.svc",
        "gate.stagepass-system.svc.cluster.local",
        "gate.test",
        "127.0.0.1",
    ],
)
def test_a_strict_client_accepts_every_name_of_the_service(directory: Path, name: str) -> None:
    handshake(directory, name)


@pytest.mark.parametrize("name", ["other.stagepass-system.svc", "gate.other.svc", "127.0.0.2"])
def test_a_client_refuses_any_other_name(directory: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(directory, name)


def test_a_client_that_trusts_another_ca_refuses(directory: Path, tmp_path: Path) -> None:
    assert main(["issue", str(tmp_path / "other"), *SERVICE]) == 0

    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(directory, "gate", trust=tmp_path / "other" / "ca.crt")


def test_the_certificates_say_what_they_are_for(directory: Path) -> None:
    ca, leaf = load(directory / "ca.crt"), load(directory / "tls.crt")
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.issuer == ca.subject != leaf.subject
    for certificate in (ca, leaf):
        public = certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert isinstance(public.curve, ec.SECP256R1)


def test_force_replaces_the_pair_and_keeps_the_ca(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca, pair = (directory / "ca.crt").read_bytes(), (directory / "tls.crt").read_bytes()

    assert main(["issue", str(directory), *SERVICE, "--dns", "new.test", "--force"]) == 0

    assert "CA reused" in capsys.readouterr().out
    assert (directory / "ca.crt").read_bytes() == ca
    assert (directory / "tls.crt").read_bytes() != pair
    handshake(directory, "new.test")


def test_rotate_keeps_the_names_and_changes_the_key(directory: Path) -> None:
    before = load(directory / "tls.crt")

    assert main(["rotate", str(directory), "--days", "30"]) == 0

    after = load(directory / "tls.crt")
    assert after.public_key() != before.public_key()
    assert after.subject == before.subject
    san = x509.SubjectAlternativeName
    assert after.extensions.get_extension_for_class(
        san
    ) == before.extensions.get_extension_for_class(san)
    assert after.not_valid_after_utc < before.not_valid_after_utc
    handshake(directory, "gate.test")


def test_the_longest_names_fit(tmp_path: Path) -> None:
    """A common name holds 64 characters; a Service and a namespace have 63 each."""
    names = Names.of_service("s" * 63, "n" * 63)

    issue(tmp_path / "dev", names, days=1, replace=False, now=datetime.now(UTC))

    handshake(tmp_path / "dev", names.dns[2])


def test_the_command_runs_from_a_clone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "certs", "issue", tmp_path / "dev", *SERVICE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        str(tmp_path / "dev" / "ca.crt"),
        str(tmp_path / "dev" / "tls.crt"),
    ]


def test_help_is_no_error() -> None:
    assert main(["--help"]) == 0
    assert main([]) == 64
