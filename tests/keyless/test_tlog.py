"""Entries of a Rekor log that the trust roots name: of this very signature, in its tree, or refused."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.identity import Span
from stagepass.trustedtime import TrustedTimes
from tests.keyless.keyed import altered, proven, sigstore, span_of, times
from tests.keyless.test_trustedtime import AT, BY, LOG, PASS, logged, refused
from tests.simulators.sigstore import Lies
from tests.world import DAY, DROP, NOW, signed

LIES = {
    "foreign_entry": "of another signature, key or payload",
    "stolen_log_id": "in a tree that its log did not sign",
    "unsigned_checkpoint": "in a tree that its log did not sign",
    "wrong_root": "in a tree that its log did not sign",
    "wrong_proof": "does not lie in the tree",
    "no_checkpoint": "has no checkpoint",
}
PROMISES = {"forged_promise": True, "moved_time": -DAY}
"""Rekor v2 promises nothing, so nothing of it can be forged."""


def told(lie: str, value: object) -> Lies:
    """The one lie."""
    lies: dict[str, Any] = {lie: value}
    return Lies(**lies)


@pytest.mark.parametrize("log", ["v1", "v2"])
@pytest.mark.parametrize("lie", LIES)
def test_a_known_log_that_says_something_else_is_a_refusal(lie: str, log: str) -> None:
    """CVE-2022-36056 and its kin."""
    assert LIES[lie] in refused(logged(log=log, lies=told(lie, True)))


@pytest.mark.parametrize("lie", PROMISES)
def test_a_time_that_its_log_did_not_sign_is_a_refusal(lie: str) -> None:
    assert "a time that its log did not sign" in refused(logged(lies=told(lie, PROMISES[lie])))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"logIndex": "7"}, "did not sign"),
        ({"integratedTime": "99999999999999"}, "did not sign"),
        ({"integratedTime": "-1"}, "no count"),
        ({"integratedTime": True}, "no count"),
        ({"kindVersion": {"kind": "intoto", "version": "0.0.2"}}, "another kind than its body"),
        ({"kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}}, "another kind"),
        ({"kindVersion": DROP}, "no kindVersion"),
        ({"canonicalizedBody": "e30="}, "another kind"),
        ({"canonicalizedBody": "AA=="}, "a body that is"),
        ({"canonicalizedBody": DROP}, "not base64"),
        ({"inclusionProof": DROP}, "no inclusionProof"),
        ({"inclusionProof.hashes": []}, "too short"),
        ({"inclusionProof.hashes": ["AA=="] * 65}, "short list"),
        ({"inclusionProof.hashes": ["AA=="] * 40}, "too long"),
        ({"inclusionProof.treeSize": "0"}, "beyond the tree"),
        ({"inclusionProof.logIndex": "9999"}, "beyond the tree"),
        ({"inclusionProof.checkpoint.envelope": "x\n\n"}, "did not sign"),
        ({"inclusionProof.checkpoint": "x"}, "no object"),
        ({"inclusionPromise.signedEntryTimestamp": "AAAA"}, "did not sign"),
        ({"inclusionPromise.signedEntryTimestamp": ""}, "not base64"),
    ],
)
def test_an_entry_of_a_known_log_that_was_touched_is_a_refusal(
    changes: dict[str, Any], why: str
) -> None:
    assert why in refused(altered(logged(), {f"{LOG}.0.{path}": v for path, v in changes.items()}))


@pytest.mark.parametrize("log_id", [DROP, "x", {}, {"keyId": 7}, {"keyId": "?"}, {"keyId": ""}])
def test_an_entry_that_names_no_log_says_nothing(log_id: object) -> None:
    """As one of a log that no root knows: only what stands in the name of a known one can be wrong."""
    assert span_of(times(), altered(logged(), {f"{LOG}.0.logId": log_id}), BY) is None


def test_the_place_in_rekor_v2_is_that_of_its_proof() -> None:
    """Nothing signs the outer one (T16)."""
    assert "not where its proof says" in refused(
        altered(logged(log="v2"), {f"{LOG}.0.logIndex": "0"})
    )


@pytest.mark.parametrize("log", ["v1", "v2"])
def test_an_entry_under_another_key_over_the_same_payload_is_a_refusal(log: str) -> None:
    assert "another signature, key" in refused(proven(PASS, "staging-cluster", AT, log=log))


@pytest.mark.parametrize("log", ["v1", "v2"])
def test_an_entry_of_an_earlier_signature_by_the_same_key_is_a_refusal(log: str) -> None:
    """What a key signed twice it may have signed the second time once it was stolen."""
    payload = Bundle.parse(PASS).envelope.payload
    first = json.loads(proven(signed(payload, BY), BY, AT, log=log))
    again = signed(payload, BY)
    assert json.loads(again)["dsseEnvelope"] != first["dsseEnvelope"]

    assert "another signature, key" in refused(
        altered(again, {LOG: first["verificationMaterial"][LOG]})
    )


@pytest.mark.parametrize("size", range(1, 18))
def test_every_place_in_every_small_tree_is_proven(size: int) -> None:
    """Against the simulator's own recursive reading of RFC 6962."""
    service = type(sigstore())("trees", now=NOW)
    trusted = TrustedTimes({"trees": service.trusted_root()})
    document = json.loads(logged())
    body = base64.b64decode(document["verificationMaterial"][LOG][0]["canonicalizedBody"])
    for place in range(size):
        service.v1._leaves = [hashlib.sha256(bytes([n])).digest() for n in range(place)]
        entry = service.v1.add(body, AT)
        assert int(entry["inclusionProof"]["logIndex"]) == place
        assert span_of(trusted, altered(PASS, {LOG: [entry]}), BY) == Span(AT, AT)
