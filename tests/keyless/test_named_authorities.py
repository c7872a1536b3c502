"""Certificate authorities of one name in one trust root: which of them issued a leaf, its key says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from stagepass.evidence import Attestation
from tests.keyless.world import ISSUER as GITHUB
from tests.keyless.world import PAYLOAD, SIGNED_AT, SUBJECT, policy, refusal, verdict
from tests.simulators.sigstore import Identity, Sigstore, Windows
from tests.world import NOW

_ENDED = Windows(ca=(None, SIGNED_AT - timedelta(days=1)))
RETIRED, SUCCESSOR = (Sigstore("one name", now=NOW) for _ in range(2))


def _root(*, retired_first: bool) -> bytes:
    """As an instance has it whose authority got a new key under its old name."""
    listed = [RETIRED.trusted_root(_ENDED), SUCCESSOR.trusted_root()]
    first, second = map(json.loads, listed if retired_first else reversed(listed))
    for kind in ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"):
        first[kind] += second[kind]
    return json.dumps(first).encode()


@pytest.mark.parametrize("retired_first", [True, False])
def test_what_the_successor_issued_counts_and_what_the_retired_one_issued_does_not(
    *, retired_first: bool
) -> None:
    shop = policy(roots={"both": _root(retired_first=retired_first)})
    by_retired, by_successor = (
        each.bundle(PAYLOAD, Identity(GITHUB, SUBJECT), at=SIGNED_AT)
        for each in (RETIRED, SUCCESSOR)
    )

    assert isinstance(verdict(shop, by_successor), Attestation)
    code, message = refusal(shop, by_retired)
    assert code == "SIGNATURE_INVALID"
    assert "'both' does not rely on its certificate authority for a certificate" in message
