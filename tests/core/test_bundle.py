from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from stagepass import strictjson
from stagepass.bundle import MAX_BYTES, MEDIA_TYPE, Bundle
from stagepass.envelope import Envelope, pae
from stagepass.errors import AttestationError
from tests.world import DROP, changed, signer, statement

PAYLOAD = statement()
BUNDLE = signer("ci").private.sign(PAYLOAD)
GOOD: dict[str, Any] = strictjson.loads_object(BUNDLE.to_bytes(), max_bytes=MAX_BYTES, max_depth=9)
CERTIFICATE = {"rawBytes": "AA=="}

STAMP = {"signedTimestamp": "AQI="}
MATERIAL: dict[str, Any] = {
    "certificate": {"rawBytes": "AAE="},
    "tlogEntries": [{"logIndex": "1"}],
    "timestampVerificationData": {"rfc3161Timestamps": [STAMP, STAMP]},
}


def parse(changes: dict[str, Any]) -> Bundle:
    return Bundle.parse(strictjson.dumps(changed(GOOD, changes)))


def refusal(changes: dict[str, Any]) -> AttestationError:
    with pytest.raises(AttestationError) as caught:
        parse(changes)
    return caught.value


def test_what_is_written_is_the_bundle_that_cosign_writes() -> None:
    """One signature, no keyid, no log entries, and the key's id as the hint (rules W2 and W3)."""
    assert GOOD.keys() == {"mediaType", "verificationMaterial", "dsseEnvelope"}
    assert GOOD["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert GOOD["verificationMaterial"] == {"publicKey": {"hint": signer("ci").private.public.id}}
    assert GOOD["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert GOOD["dsseEnvelope"]["signatures"][0].keys() == {"sig"}
    assert base64.b64decode(GOOD["dsseEnvelope"]["payload"], validate=True) == PAYLOAD
    assert not BUNDLE.to_bytes().endswith(b"\n")


def test_the_hint_is_the_sha256_of_the_key_in_base64() -> None:
    der = base64.b64decode(b"".join(signer("ci").public_pem.splitlines()[1:-1]))

    assert BUNDLE.hint == base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_a_bundle_reads_back_as_it_was_written() -> None:
    assert Bundle.parse(BUNDLE.to_bytes()) == BUNDLE


def test_what_is_signed_names_the_type_and_both_lengths() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert BUNDLE.envelope.signed_bytes == pae("application/vnd.in-toto+json", PAYLOAD)


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.3"},
        {"verificationMaterial.tlogEntries": []},
        {"verificationMaterial.tlogEntries": None},
        {"verificationMaterial.timestampVerificationData": {"rfc3161Timestamps": []}},
        {"dsseEnvelope.signatures.0.keyid": ""},
        {"dsseEnvelope.payload": base64.urlsafe_b64encode(PAYLOAD).decode()},
        {"dsseEnvelope.payload": base64.b64encode(PAYLOAD).decode().rstrip("=")},
    ],
)
def test_forms_of_the_same_bundle_read_the_same(changes: dict[str, Any]) -> None:
    assert parse(changes) == BUNDLE
    assert Bundle.parse(b" " + BUNDLE.to_bytes() + b"\n") == BUNDLE


@pytest.mark.parametrize("key", [{}, {"hint": ""}])
def test_a_hint_may_be_absent_or_empty(key: dict[str, str]) -> None:
    assert parse({"verificationMaterial.publicKey": key}).hint == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaType": DROP},
        {"mediaType": ""},
        {"mediaType": []},
        {"mediaType": {}},
        {"mediaType": [MEDIA_TYPE]},
        {"mediaType": MEDIA_TYPE.upper()},
        {"mediaType": f"{MEDIA_TYPE} "},
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.2+json"},
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json"},
        {"mediaType": "application/json"},
        {"extra": 1},
        {"messageSignature": {}},
        {"verificationMaterial": DROP},
        {"verificationMaterial": {}},
        {"verificationMaterial": []},
        {"verificationMaterial": ["publicKey"]},
        {"verificationMaterial": "publicKey"},
        {"verificationMaterial.extra": 1},
        {"verificationMaterial.publicKey": DROP},
        {"verificationMaterial.publicKey": None},
        {"verificationMaterial.publicKey": "x"},
        {"verificationMaterial.publicKey.hint": 7},
        {"verificationMaterial.publicKey.extra": "x"},
        {"verificationMaterial.certificate": CERTIFICATE},
        {"verificationMaterial.x509CertificateChain": {"certificates": [CERTIFICATE]}},
        {"verificationMaterial.tlogEntries": {}},
        {"verificationMaterial.tlogEntries": [1]},
        {"dsseEnvelope": DROP},
        {"dsseEnvelope": None},
        {"dsseEnvelope": []},
        {"dsseEnvelope.extra": 1},
        {"dsseEnvelope.payload": DROP},
        {"dsseEnvelope.payload": ""},
        {"dsseEnvelope.payload": "===="},
        {"dsseEnvelope.payload": "A"},
        {"dsseEnvelope.payload": "AA="},
        {"dsseEnvelope.payload": "AA======"},
        {"dsseEnvelope.payload": "AA\nAA"},
        {"dsseEnvelope.payload": "AA AA"},
        {"dsseEnvelope.payload": "AA==AA=="},
        {"dsseEnvelope.payload": "\u00e9"},
        {"dsseEnvelope.payload": [1]},
        {"dsseEnvelope.payloadType": DROP},
        {"dsseEnvelope.payloadType": 7},
        {"dsseEnvelope.signatures": DROP},
        {"dsseEnvelope.signatures": None},
        {"dsseEnvelope.signatures": []},
        {"dsseEnvelope.signatures": {}},
        {"dsseEnvelope.signatures": [{"sig": "AA=="}, {"sig": "AA=="}]},
        {"dsseEnvelope.signatures.0": None},
        {"dsseEnvelope.signatures.0.sig": DROP},
        {"dsseEnvelope.signatures.0.sig": ""},
        {"dsseEnvelope.signatures.0.cert": "x"},
        {"dsseEnvelope.signatures.0.keyid": 7},
    ],
)
def test_a_misshapen_bundle_is_a_statement_that_does_not_count(changes: dict[str, Any]) -> None:
    assert refusal(changes).code == "STATEMENT_INVALID"


def test_a_chain_of_certificates_is_not_read() -> None:
    """A bundle v0.3 holds the leaf alone (rule R5): else whoever sends it chooses the path to a root."""
    chain = {"x509CertificateChain": {"certificates": [CERTIFICATE]}}

    assert refusal({"verificationMaterial": chain}).code == "SIGNER_UNKNOWN"


class TestProofs:
    """A certificate in place of a key, log entries and time stamps: read, and judged elsewhere."""

    def test_all_of_them_are_read(self) -> None:
        found = parse({"verificationMaterial": MATERIAL})

        assert (found.hint, found.certificate) == ("", b"\x00\x01")
        assert found.log_entries == ({"logIndex": "1"},)
        assert found.timestamps == (b"\x01\x02", b"\x01\x02")

    @pytest.mark.parametrize("left_out", ["tlogEntries", "timestampVerificationData", "nothing"])
    def test_they_are_written_as_they_were_read(self, left_out: str) -> None:
        material = {name: value for name, value in MATERIAL.items() if name != left_out}
        found = parse({"verificationMaterial": material})

        assert Bundle.parse(found.to_bytes()) == found
        assert json.loads(found.to_bytes())["verificationMaterial"] == material

    @pytest.mark.parametrize(
        "certificate",
        [
            None,
            [],
            "AA==",
            {},
            {"rawBytes": ""},
            {"rawBytes": 7},
            {"rawBytes": "?"},
            {"raw": "AA=="},
        ],
    )
    def test_a_certificate_is_an_object_of_raw_bytes(self, certificate: Any) -> None:
        assert refusal({"verificationMaterial": {"certificate": certificate}}).code == (
            "STATEMENT_INVALID"
        )

    @pytest.mark.parametrize(
        ("stamps", "read"),
        [
            (None, ()),
            ([], ()),
            ({}, ()),
            ({"rfc3161Timestamps": None}, ()),
            ({"rfc3161Timestamps": {}}, ()),
            ({"rfc3161Timestamps": [None]}, (b"",)),
            ({"rfc3161Timestamps": [{}]}, (b"",)),
            ({"rfc3161Timestamps": [{"signedTimestamp": 7}]}, (b"",)),
            ({"rfc3161Timestamps": [{"signedTimestamp": "?"}, STAMP]}, (b"", b"\x01\x02")),
        ],
    )
    def test_what_is_no_stamp_proves_nothing_and_takes_nothing_away(
        self, stamps: Any, read: tuple[bytes, ...]
    ) -> None:
        found = parse({"verificationMaterial.timestampVerificationData": stamps})

        assert found.timestamps == read
        assert found.envelope == BUNDLE.envelope


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xef\xbb\xbf" + BUNDLE.to_bytes(),
        BUNDLE.to_bytes() + b"{}",
        BUNDLE.to_bytes()[:-1] + b',"mediaType":"application/json"}',
        BUNDLE.to_bytes()[:-1] + b',"media\\u0054ype":"application/json"}',
        BUNDLE.to_bytes()[:-1] + b" " * MAX_BYTES + b"}",
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
)
def test_bytes_that_are_not_one_json_object_are_no_bundle(data: bytes) -> None:
    with pytest.raises(AttestationError) as caught:
        Bundle.parse(data)
    assert caught.value.code == "STATEMENT_INVALID"


def test_an_envelope_is_parsed_from_an_object_only() -> None:
    with pytest.raises(AttestationError, match="the envelope is not an object"):
        Envelope.parse("text")
