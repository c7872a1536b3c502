"""Certificates and entries made by hand: refused, cheaply, and they hide nothing beside them."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.decision import Answer
from stagepass.digest import Digest
from stagepass.evidence import Candidate, Deadline, DirectorySource, Rejection
from stagepass.identity import Opened
from stagepass.verifier import Verifier
from tests.keyless.keyed import proven, trusting
from tests.keyless.world import altered, keyless, policy, refusal
from tests.world import HOUR, IMAGE, NOW, STAGING, TEST, judged, signed_pass, stored

POLICY = policy()
CERTIFICATE = "verificationMaterial.certificate.rawBytes"
ENTRY = "verificationMaterial.tlogEntries.0"
MARK = b"MARKER-abcdef"
UTF8_STRING = 0x0C


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def self_made(*issuer: tuple[x509.ObjectIdentifier, str]) -> bytes:
    """DER of a certificate without a subject, by whoever `issuer` says, signed by its own key."""
    names = [x509.NameAttribute(oid, text) for oid, text in issuer]
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name(names),
        subject_name=x509.Name([]),
        public_key=_key().public_key(),
        serial_number=5,
        not_valid_before=NOW,
        not_valid_after=NOW + timedelta(days=1),
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def of_certificate(der: bytes) -> bytes:
    """A good bundle whose certificate is another."""
    return altered(keyless(tsa=True), {CERTIFICATE: base64.b64encode(der).decode()})


def with_tag(tag: int) -> bytes:
    """The certificate whose issuer's name is a string of that kind of ASN.1, its bytes the same."""
    der = bytearray(self_made((NameOID.COMMON_NAME, MARK.decode())))
    at = der.index(MARK) - 2
    assert der[at] == UTF8_STRING
    der[at] = tag
    return bytes(der)


def with_country(first: int) -> bytes:
    """The certificate whose issuer's country begins with that byte."""
    der = bytearray(self_made((NameOID.COUNTRY_NAME, "XY")))
    der[der.index(b"XY")] = first
    return bytes(der)


HOSTILE = {f"tag {tag:#x}": with_tag(tag) for tag in range(32)} | {"country": with_country(0xFF)}


class TestIssuers:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_name_of_any_kind_is_a_refusal_and_no_crash(self, name: str) -> None:
        code, _ = refusal(POLICY, of_certificate(HOSTILE[name]))

        assert code in ("SIGNATURE_INVALID", "STATEMENT_INVALID")

    def test_one_that_cannot_be_read_is_told(self) -> None:
        assert refusal(POLICY, of_certificate(with_tag(0x02))) == (
            "STATEMENT_INVALID",
            "its certificate's issuer cannot be read: ValueError",
        )

    def test_it_hides_no_good_evidence(self, tmp_path: Path) -> None:
        source = DirectorySource(stored(tmp_path, [keyless(), of_certificate(with_tag(0x02))]))
        verifier = Verifier(POLICY, [source])
        decision = verifier.decide(IMAGE, TEST, now=NOW, deadline=Deadline.after(60))

        assert decision.answer is Answer.ADMITTED

    def test_a_long_one_is_not_printed_whole(self) -> None:
        issuer = [(NameOID.COMMON_NAME, f"{number}" * 20) for number in range(100, 120)]
        code, message = refusal(POLICY, of_certificate(self_made(*issuer)))

        assert code == "SIGNATURE_INVALID"
        assert len(message) < 500
        assert message.endswith("of none of the trust roots: public-good")


class TestSizes:
    HUGE = self_made(*[(NameOID.COMMON_NAME, "x")] * 60_000)

    def test_a_certificate_of_over_16_kib_is_not_read(self) -> None:
        """Fulcio's have three; an issuer of 60,000 names took half a second to read."""
        assert refusal(POLICY, of_certificate(self.HUGE)) == (
            "STATEMENT_INVALID",
            f"a certificate of {len(self.HUGE)} bytes; at most 16384 are read",
        )

    def test_a_directory_full_of_them_is_read_in_time(self, tmp_path: Path) -> None:
        junk = [of_certificate(self.HUGE[:-1] + bytes([number])) for number in range(50)]
        verifier = Verifier(POLICY, [DirectorySource(stored(tmp_path, [keyless(), *junk]))])
        before = time.process_time()
        decision = verifier.decide(IMAGE, TEST, now=NOW, deadline=Deadline.after(60))

        assert decision.answer is Answer.ADMITTED
        assert time.process_time() - before < 5  # 27 s when each was read


class TestEntries:
    """JSON's canonical form, which the log signs, knows no number over 2^53."""

    @pytest.mark.parametrize("name", ["logIndex", "integratedTime"])
    @pytest.mark.parametrize("number", [1 << 53, 1 << 60, 10**19 - 1])
    def test_a_number_that_no_log_can_sign(self, name: str, number: int) -> None:
        shop = trusting()
        good = proven(signed_pass("test"), "test-cluster", NOW - HOUR, log="v1")
        bundle = altered(good, {f"{ENTRY}.{name}": str(number)})

        assert refusal(shop, bundle) == (
            "SIGNATURE_INVALID",
            f"its log entry has a {name} that is no count",
        )
        assert judged(shop, [signed_pass("test"), bundle], STAGING).answer is Answer.ADMITTED

    @pytest.mark.parametrize("name", ["logIndex", "integratedTime"])
    def test_of_a_certificate_as_well(self, name: str) -> None:
        bundle = altered(keyless(), {f"{ENTRY}.{name}": str(1 << 60)})

        assert refusal(POLICY, bundle)[0] == "SIGNATURE_INVALID"


class _Broken:
    """Certificates whose reader has a bug of its own."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def verify(self, data: bytes, bundle: Bundle | None = None, *_: Any, **__: Any) -> Opened:  # noqa: ARG002
        raise self._error


class TestLastLine:
    """Whatever a reader of a stranger's bytes has forgotten is a refusal of those bytes alone."""

    def read(self, error: BaseException) -> object:
        ring = KeyRing.of([], _Broken(error))
        return ring.verify(Candidate(keyless(), "here"), Digest.of(b""))

    @pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), OSError()])
    def test_any_exception_is_a_rejection(self, error: Exception) -> None:
        found = self.read(error)

        assert isinstance(found, Rejection)
        assert (found.code, found.message) == (
            "STATEMENT_INVALID",
            f"cannot be read: {type(error).__name__}",
        )

    def test_what_ends_the_process_is_none(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.read(KeyboardInterrupt())
