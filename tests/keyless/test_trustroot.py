"""Trusted roots as Sigstore's repositories hold them: what is read, and where what is not one is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from stagepass.errors import InputError
from stagepass.trustroot import TrustedRoot, Validity
from tests.keyless.keyed import root_of
from tests.world import DROP, NOW, SECOND, changed

_KEY = "tlogs.0.publicKey"
_CHAIN = "timestampAuthorities.0.certChain.certificates"


def parsed(changes: dict[str, Any]) -> TrustedRoot:
    """The miniature's, changed."""
    return TrustedRoot.parse(json.dumps(changed(json.loads(root_of()), changes)).encode())


@pytest.mark.parametrize(
    ("host", "logs", "authorities"),
    [("tuf-repo-cdn.sigstore.dev", 2, 1), ("tuf-repo-cdn.sigstage.dev", 4, 1)],
)
def test_the_roots_of_the_public_instances_are_read(host: str, logs: int, authorities: int) -> None:
    """As they come with sigstore-python."""
    stored = files("sigstore._store") / f"https%3A%2F%2F{host}" / "trusted_root.json"
    root = TrustedRoot.parse(stored.read_bytes())

    assert (len(root.logs), len(root.timestamp_authorities)) == (logs, authorities)
    assert root.logs[0].note_id == root.logs[0].key_id[:4]
    assert root.logs[0].valid.start == datetime(2021, 1, 12, 11, 53, 27, tzinfo=UTC)
    assert root.certificate_authorities
    assert root.ct_logs


def test_what_it_lists_is_read() -> None:
    root = parsed({})

    assert [log.algorithm.name for log in root.logs] == ["ECDSA P-256 with SHA-256", "Ed25519"]
    assert root.timestamp_authorities[0].name == "miniature, miniature"
    assert len(root.certificate_authorities[0].chain) == 2


def test_a_root_may_list_nothing_of_a_kind_and_more_than_we_know() -> None:
    root = parsed(
        {"tlogs": DROP, "ctlogs": [], "new": {}, "certificateAuthorities.0.operator": "x"}
    )

    assert (root.logs, root.ct_logs) == ((), ())


def test_a_log_may_sign_its_checkpoints_under_another_id() -> None:
    root = parsed({"tlogs.0.checkpointKeyId": {"keyId": "AAECAwQF"}})

    assert root.logs[0].note_id == bytes([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"mediaType": "application/json"}, "mediaType 'application/json' is no trusted root"),
        ({"mediaType": DROP}, "mediaType None is no trusted root"),
        ({"tlogs": {}}, "tlogs is not a list"),
        ({"tlogs.0": []}, "tlogs[0] is not an object"),
        ({"tlogs.1.logId": DROP}, "tlogs[1].logId is not an object"),
        ({"tlogs.1.logId.keyId": "?"}, "tlogs[1].logId.keyId is not base64"),
        ({"tlogs.0.baseUrl": 1}, "tlogs[0].baseUrl is not text"),
        ({f"{_KEY}.rawBytes": "AAAA"}, "tlogs[0].publicKey.rawBytes is not a public key"),
        ({f"{_KEY}.validFor": DROP}, "tlogs[0].publicKey.validFor is not an object"),
        ({f"{_KEY}.validFor.start": DROP}, "tlogs[0].publicKey.validFor.start: None is not an"),
        ({f"{_KEY}.validFor.end": "soon"}, "tlogs[0].publicKey.validFor.end: 'soon' is not an"),
        (
            {f"{_KEY}.validFor.end": "2001-01-01T00:00:00Z"},
            "publicKey.validFor ends before it starts",
        ),
        ({"ctlogs.0.publicKey.keyDetails": None}, "ctlogs[0].publicKey.keyDetails is not text"),
        (
            {"certificateAuthorities.0.certChain": DROP},
            "certificateAuthorities[0].certChain is not an",
        ),
        ({_CHAIN: []}, "certificates is not a list of certificates"),
        ({f"{_CHAIN}.1": DROP}, "certChain.certificates does not end with a root"),
        ({f"{_CHAIN}.0.rawBytes": "AAAA"}, "certificates[0].rawBytes is not a certificate"),
        (
            {"timestampAuthorities.0.subject": "x"},
            "timestampAuthorities[0].subject is not an object",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(changes)

    assert where in caught.value.message


def test_an_authority_that_begins_with_its_root_stamps_nothing() -> None:
    """The order matters: leaf first."""
    chain = json.loads(root_of())["timestampAuthorities"][0]["certChain"]["certificates"]
    with pytest.raises(InputError, match=r"does not end with a root|no certificate that stamps"):
        parsed({_CHAIN: [chain[1], chain[0]]})
    with pytest.raises(InputError, match=r"certificates\[0\] is no certificate that stamps times"):
        parsed({_CHAIN: [chain[1], chain[1]]})


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"tlogs":[],"tlogs":[]}', b"{" + b" " * (1 << 20) + b"}"]
)
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(InputError):
        TrustedRoot.parse(text)


def test_both_ends_are_included() -> None:
    """protobuf-specs, `TimeRange`; another reading of it was one conformance miss of sigstore-python."""
    valid = Validity(NOW, NOW + SECOND)

    assert [valid.covers(NOW + n * SECOND) for n in (-1, 0, 1, 2)] == [False, True, True, False]
    assert Validity(NOW).covers(NOW.replace(year=9999))
