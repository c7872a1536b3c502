"""Keys of logs that a root has retired: they vouch for nothing, under whatever id they sign."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from stagepass.evidence import Attestation
from stagepass.identity import Span
from tests.keyless.world import ISSUER, PAYLOAD, SIGNED_AT, SUBJECT, policy, refusal, verdict
from tests.simulators.sigstore import Identity, Sigstore, Windows
from tests.simulators.sigstore.log import LogV1, LogV2
from tests.world import DAY, NOW

LIVE, RETIRED = (Sigstore("one instance", now=NOW) for _ in range(2))
_OVER = Windows(v1=(None, SIGNED_AT - DAY), v2=(None, SIGNED_AT - DAY))
LIFE = Span(SIGNED_AT, SIGNED_AT + timedelta(minutes=10))
WRONG_KEY = (
    "SIGNATURE_INVALID",
    "its log entry is not signed by the key of the log that it names, in trust root 'public-good'",
)


def _root(*, retired_first: bool) -> bytes:
    """That of LIVE, with the logs of RETIRED as well, which ended a day before."""
    root = json.loads(LIVE.trusted_root())
    over = json.loads(RETIRED.trusted_root(_OVER))["tlogs"]
    root["tlogs"] = [*over, *root["tlogs"]] if retired_first else [*root["tlogs"], *over]
    return json.dumps(root).encode()


SHOPS = [policy(roots={"public-good": _root(retired_first=first)}) for first in (True, False)]


class _PromisedByAnother(LogV1):
    """Its tree is signed by the key of `tree`, and its times by another."""

    def __init__(self, tree: LogV2, promises: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(LIVE.url)
        self.id, self._tree, self._promises = tree.id, tree, promises

    def sign(self, data: bytes, forged: bool = False) -> bytes:
        if data.startswith(b"{"):
            return self._promises.sign(data, ec.ECDSA(SHA256()))
        return self._tree.sign(data, forged)


def _signing_as(log: LogV1 | LogV2, log_id: bytes) -> LogV1 | LogV2:
    """A log with the key of `log`, under the id of another."""
    posing = type(log)(LIVE.url)
    posing.key, posing.id = log.key, log_id
    return posing


def bundle(log: LogV1 | LogV2, **how: Any) -> bytes:
    """By a certificate of LIVE, kept in `log`."""
    service = Sigstore("borrowed", now=NOW)
    service.authority, service.tsa = LIVE.authority, LIVE.tsa
    kind = "v1" if isinstance(log, LogV1) else "v2"
    service._logs = {kind: log}
    return service.bundle(PAYLOAD, Identity(ISSUER, SUBJECT), at=SIGNED_AT, log=kind, **how)


@pytest.mark.parametrize("shop", SHOPS, ids=["retired first", "live first"])
class TestKeys:
    def test_a_live_log_counts(self, shop: Any) -> None:
        """Else the refusals below would prove nothing."""
        for found in (
            verdict(shop, LIVE.bundle(PAYLOAD, Identity(ISSUER, SUBJECT), at=SIGNED_AT)),
            verdict(shop, bundle(LIVE.v1)),
            verdict(shop, bundle(LIVE.v2, tsa=True)),
        ):
            assert isinstance(found, Attestation)
            assert found.signed == LIFE

    def test_a_retired_one_says_so(self, shop: Any) -> None:
        for entry in (bundle(RETIRED.v1), bundle(RETIRED.v2, tsa=True)):
            assert "does not rely on its transparency log" in refusal(shop, entry)[1]

    @pytest.mark.parametrize("tsa", [False, True])
    def test_of_rekor_v1_under_the_id_of_a_live_v2(self, shop: Any, tsa: bool) -> None:
        """The library knows no key by that id, and tries all of the root."""
        forged = bundle(_signing_as(RETIRED.v1, LIVE.v2.id), tsa=tsa)

        assert refusal(shop, forged) == WRONG_KEY

    def test_of_rekor_v2_under_the_id_of_a_live_v2(self, shop: Any) -> None:
        forged = bundle(_signing_as(RETIRED.v2, LIVE.v2.id), tsa=True)

        assert refusal(shop, forged) == WRONG_KEY

    @pytest.mark.parametrize("log", [RETIRED.v1, RETIRED.v2], ids=["v1", "v2"])
    def test_under_the_id_of_a_live_v1(self, shop: Any, log: LogV1 | LogV2) -> None:
        """Here the library itself takes the one key of that id."""
        code, message = refusal(shop, bundle(_signing_as(log, LIVE.v1.id), tsa=True))

        assert code == "SIGNATURE_INVALID"
        assert message.endswith("keyring: invalid signature")

    def test_a_time_by_one_in_a_tree_of_a_live_v2(self, shop: Any) -> None:
        key = RETIRED.v1.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)

        assert refusal(shop, bundle(_PromisedByAnother(LIVE.v2, key))) == WRONG_KEY

    def test_a_live_key_under_the_id_of_another_live_log(self, shop: Any) -> None:
        assert refusal(shop, bundle(_signing_as(LIVE.v1, LIVE.v2.id))) == WRONG_KEY

    def test_under_an_id_that_nobody_knows(self, shop: Any) -> None:
        forged = bundle(_signing_as(RETIRED.v1, b"\x01" * 32))

        assert "does not rely on its transparency log" in refusal(shop, forged)[1]


def test_a_log_whose_key_the_library_does_not_read_is_nobody_elses() -> None:
    """It would be left out, and another's signature taken for its own."""
    root = json.loads(_root(retired_first=True))
    for log in root["tlogs"]:
        if log["logId"]["keyId"] == json.loads(LIVE.trusted_root())["tlogs"][0]["logId"]["keyId"]:
            log["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_HMAC_SHA_256"
    shop = policy(roots={"public-good": json.dumps(root).encode()})

    assert refusal(shop, bundle(_signing_as(RETIRED.v1, LIVE.v1.id))) == WRONG_KEY
