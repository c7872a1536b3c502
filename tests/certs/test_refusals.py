from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.__main__ import main
from certs.issue import issue
from certs.names import Names
from stagepass.errors import InputError
from tests.certs.tls import SERVICE

NAMES = Names.of_service("gate", "stagepass-system")
NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)


def test_an_existing_pair_is_never_overwritten_unasked(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in directory.iterdir()}

    assert main(["issue", str(directory), *SERVICE]) == 64

    assert "tls.crt: exists already (--force replaces it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_a_key_without_its_certificate_counts_as_a_pair(directory: Path) -> None:
    (directory / "tls.crt").unlink()

    assert main(["issue", str(directory), *SERVICE]) == 64


def test_rotate_needs_something_to_rotate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rotate", str(tmp_path)]) == 64
    assert "tls.crt: is missing (python -m certs issue DIR" in capsys.readouterr().err


def test_a_certificate_may_live_as_long_as_its_new_ca_but_no_longer(tmp_path: Path) -> None:
    issued = issue(tmp_path / "dev", NAMES, days=365, replace=False, now=NOW)

    assert issued.certificate.not_valid_after_utc == issued.authority.not_valid_after_utc
    assert issued.certificate.not_valid_before_utc == NOW.replace(microsecond=0) - timedelta(
        minutes=5
    )
    later = NOW + timedelta(days=300)
    with pytest.raises(InputError, match=r"ends 2027-11-26, in 65 days \(--days 65 or less, or "):
        issue(tmp_path / "dev", NAMES, days=90, replace=True, now=later)
    with pytest.raises(InputError, match=r"in -35 days \(move ca\.crt and ca\.key away"):
        issue(tmp_path / "dev", NAMES, days=1, replace=True, now=NOW + timedelta(days=400))


@pytest.mark.parametrize("name", ["ca.crt", "ca.key"])
def test_half_a_ca_is_not_replaced(
    directory: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / name).unlink()

    assert main(["issue", str(directory), *SERVICE, "--force"]) == 64
    assert f"{name}: is missing (put it back, or move" in capsys.readouterr().err


def foreign_keys() -> dict[str, bytes]:
    plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    pkcs8 = serialization.PrivateFormat.PKCS8
    curve = ec.generate_private_key(ec.SECP256R1())
    locked = serialization.BestAvailableEncryption(b"word")
    return {
        "not the certificate of ca.key": curve.private_bytes(pem, pkcs8, plain),
        "not a plain PEM private key": curve.private_bytes(pem, pkcs8, locked),
        "not an elliptic-curve key": rsa.generate_private_key(65537, 2048).private_bytes(
            pem, pkcs8, plain
        ),
    }


def test_a_ca_whose_files_do_not_belong_together_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for message, key in foreign_keys().items():
        (directory / "ca.key").write_bytes(key)

        assert main(["rotate", str(directory)]) == 64
        assert message in capsys.readouterr().err


def test_a_serving_certificate_does_not_sign_others(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("crt", "key"):
        (directory / f"tls.{name}").replace(directory / f"ca.{name}")

    assert main(["issue", str(directory), *SERVICE]) == 64
    assert "ca.crt: not the certificate of a CA" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--service", "Gate", "--namespace", "x"], "--service: 'Gate' is not a Kubernetes name"),
        (["--service", "x", "--namespace", "a.b"], "--namespace: 'a.b' is not a Kubernetes name"),
        (["--service", "x" * 64, "--namespace", "x"], "at most 63"),
        ([*SERVICE, "--dns", "a b"], "--dns: 'a b' is not a host name"),
        ([*SERVICE, "--dns", ".".join(["a" * 63] * 4)], "is not a host name"),
        ([*SERVICE, "--ip", "gate.test"], "--ip: 'gate.test' is not an IP address"),
        ([*SERVICE, "--days", "366"], "366 is not in the range 1<=x<=365"),
        ([*SERVICE, "--days", "0"], "0 is not in the range"),
        (["--service", "gate"], "Missing option '--namespace'"),
    ],
)
def test_what_cannot_be_issued_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["issue", str(tmp_path / "dev"), *arguments]) == 64

    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_an_error_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert main(["issue", str(tmp_path / "file" / "dev"), *SERVICE]) == 64
    assert capsys.readouterr().err.startswith("Error: ")
