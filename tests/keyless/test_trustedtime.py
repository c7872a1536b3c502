"""When a key signed, as logs and time stamp authorities prove it: what is a time, what none, what a lie."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stagepass.attestor import PublicKey
from stagepass.bundle import Bundle
from stagepass.errors import AttestationError
from stagepass.identity import Span
from stagepass.trustedtime import TrustedTimes
from tests.core.test_cosign import FIXTURES
from tests.keyless.keyed import (
    altered,
    proven,
    root_of,
    sigstore,
    span_of,
    times,
    trust_files,
)
from tests.policy.signed import ATTESTORS, beside
from tests.simulators.sigstore import Lies, Windows
from tests.world import DAY, DROP, HOUR, NOW, SECOND, signed_pass, write_policy

PASS = signed_pass("test")
BY = "test-cluster"
AT = NOW - HOUR
LOG, STAMPS = "tlogEntries", "timestampVerificationData.rfc3161Timestamps"


def logged(**how: Any) -> bytes:
    return proven(PASS, BY, AT, **{"log": "v1", **how})


def stamped(**how: Any) -> bytes:
    return proven(PASS, BY, AT, **how)


def refused(bundle: bytes, trusted: TrustedTimes | None = None) -> str:
    """Why; it must be."""
    with pytest.raises(AttestationError) as caught:
        span_of(trusted or times(), bundle, BY)
    assert caught.value.code == "SIGNATURE_INVALID"
    return caught.value.message


@pytest.mark.parametrize("bundle", [logged(), stamped(), logged(tsa=True)], ids=["log", "tsa", "2"])
def test_a_log_and_a_stamp_prove_the_time(bundle: bytes) -> None:
    assert span_of(times(), bundle, BY) == Span(AT, AT)


def test_several_times_are_a_span() -> None:
    """Never the earliest alone, which one backdated proof would be (V13)."""
    bundle = proven(stamped(), BY, AT + 2 * HOUR)
    bundle = proven(bundle, BY, AT - DAY, log="v1")

    assert span_of(times(), bundle, BY) == Span(AT - DAY, AT + 2 * HOUR)


def test_what_cosign_got_from_a_real_authority_is_a_time() -> None:
    """`cosign attest` 3.1.3 with a signing config that names an authority made of `openssl ts`."""
    root = (FIXTURES / "config" / "trusted-root-tsa.json").read_bytes()
    bundle = Bundle.parse((FIXTURES / "attest-p256-tsa" / "bundle.json").read_bytes())
    key = PublicKey.parse((FIXTURES / "keys" / "p256.pub").read_bytes())
    at = datetime(2026, 11, 23, 1, 51, 15, tzinfo=UTC)

    assert TrustedTimes({"cosign": root}).of(bundle, key) == Span(at, at)
    assert times().of(bundle, key) is None


@pytest.mark.parametrize(
    "bundle",
    [
        PASS,
        logged(log="v2"),
        logged(lies=Lies(no_promise=True)),
        logged(lies=Lies(foreign_log=True)),
        stamped(lies=Lies(foreign_tsa=True)),
        logged(instance="stranger"),
        stamped(instance="stranger"),
        altered(logged(lies=Lies(foreign_log=True)), {f"{LOG}.0.inclusionProof": DROP}),
    ],
    ids=["bare", "v2", "no SET", "log", "tsa", "their log", "their tsa", "no log's shape"],
)
def test_what_no_known_authority_says_is_no_time(bundle: bytes) -> None:
    assert span_of(times(), bundle, BY) is None


def test_each_of_several_roots_is_asked() -> None:
    both = times("miniature", "stranger")
    bundle = proven(stamped(), BY, AT + HOUR, instance="stranger", log="v1")

    assert span_of(both, bundle, BY) == Span(AT, AT + HOUR)


@pytest.mark.parametrize(
    ("log", "window", "counts"),
    [
        ("v1", (AT, None), True),
        ("v1", (None, AT), True),
        ("v1", (AT + SECOND, None), False),
        ("v1", (None, AT - SECOND), False),
        (None, (AT, None), True),
        (None, (None, AT), True),
        (None, (AT + SECOND, None), False),
        (None, (None, AT - SECOND), False),
    ],
)
def test_an_authority_counts_while_its_root_says_so_ends_included(
    log: str | None, window: Any, counts: bool
) -> None:
    trusted = times(windows=Windows(v1=window, tsa=window))
    bundle = proven(PASS, BY, AT, log=log)

    if counts:
        assert span_of(trusted, bundle, BY) == Span(AT, AT)
    else:
        assert "not valid" in refused(bundle, trusted)


def test_an_authority_that_a_second_root_lists_for_longer_counts() -> None:
    """As in a rotation of trust roots: both files are in the policy."""
    old, new = (root_of(windows=Windows(v1=w, tsa=w)) for w in ((None, AT - DAY), (AT - DAY, None)))

    assert span_of(TrustedTimes({"old": old, "new": new}), logged(tsa=True), BY) == Span(AT, AT)


def test_a_stamp_of_another_signature_is_a_refusal() -> None:
    assert "Mismatch between messages" in refused(stamped(lies=Lies(foreign_stamp=True)))


def test_a_stamp_moved_from_another_bundle_is_a_refusal() -> None:
    other = json.loads(proven(signed_pass("staging"), "staging-cluster", AT))
    moved = other["verificationMaterial"]["timestampVerificationData"]

    assert "does not verify" in refused(altered(PASS, {"timestampVerificationData": moved}))


def test_a_stamp_in_which_any_byte_was_changed_proves_nothing_else() -> None:
    """Refused, or no time, or (the two or three bytes that nothing signs) the very same time."""
    raw = sigstore().stamp(Bundle.parse(PASS).envelope.signature, AT)
    trusted, harmless = times(), 0
    for index in range(len(raw)):
        flipped = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        touched = {
            STAMPS.partition(".")[0]: {"rfc3161Timestamps": [{"signedTimestamp": b64(flipped)}]}
        }
        try:
            found = span_of(trusted, altered(PASS, touched), BY)
        except AttestationError:
            continue
        assert found in (None, Span(AT, AT)), index
        harmless += found is not None
    assert harmless < len(raw) // 20


@pytest.mark.parametrize("stamp", ["", "?", b"\x00", b"x" * 9])
def test_what_is_no_stamp_names_nobody_and_takes_nothing_away(stamp: object) -> None:
    """Only what stands in the name of a known authority can be wrong."""
    text = b64(stamp) if isinstance(stamp, bytes) else stamp
    junk = {"rfc3161Timestamps": [{"signedTimestamp": text}]}

    assert span_of(times(), altered(PASS, {"timestampVerificationData": junk}), BY) is None
    junk["rfc3161Timestamps"] *= 1 if isinstance(stamp, bytes) else 2
    junk["rfc3161Timestamps"] += json.loads(stamped())["verificationMaterial"][
        "timestampVerificationData"
    ]["rfc3161Timestamps"]
    assert span_of(times(), altered(PASS, {"timestampVerificationData": junk}), BY) == Span(AT, AT)


def test_a_chain_that_does_not_reach_the_root_proves_nothing() -> None:
    """The root is another's, of the same names; or the leaf alone is there."""
    root = json.loads(root_of())
    chain = root["timestampAuthorities"][0]["certChain"]["certificates"]
    other = json.loads(root_of("miniature", Windows()))
    stranger = json.loads(sigstore("stranger").trusted_root())
    other["timestampAuthorities"][0]["certChain"]["certificates"] = [
        chain[0],
        stranger["timestampAuthorities"][0]["certChain"]["certificates"][1],
    ]

    assert "does not verify" in refused(stamped(), TrustedTimes({"x": json.dumps(other).encode()}))


@pytest.mark.parametrize("again", [{"log": "v1"}, {}], ids=["entries", "stamps"])
def test_the_same_proof_twice_is_a_refusal(again: dict[str, Any]) -> None:
    document = json.loads(proven(PASS, BY, AT, **again))
    material = document["verificationMaterial"]
    for proofs in (
        material.get(LOG),
        material.get("timestampVerificationData", {}).get("rfc3161Timestamps"),
    ):
        if proofs:
            proofs.append(proofs[0])

    assert "are the same" in refused(json.dumps(document).encode())


@pytest.mark.parametrize("kind", ["log", "stamp"])
@pytest.mark.parametrize(("count", "good"), [(32, True), (33, False)])
def test_more_than_32_proofs_are_a_refusal(kind: str, count: int, good: bool) -> None:
    """Whoever can write to a registry could else have us verify for minutes."""
    bundle = PASS
    for index in range(count):
        log = "v1" if kind == "log" else None
        bundle = proven(bundle, BY, AT + timedelta(seconds=index), log=log)

    if good:
        assert span_of(times(), bundle, BY) == Span(AT, AT + timedelta(seconds=31))
    else:
        assert "more than 32" in refused(bundle)


def test_a_set_without_roots_and_one_without_such_authorities_load_no_client(
    tmp_path: Path,
) -> None:
    """80 CPU-ms that only stamps are worth; and no such client is needed to read keys."""
    without = trust_files(Windows(without=frozenset({"tsa"})))
    loaded = {}
    for name, extra in (("bare", {}), ("log", without), ("tsa", trust_files())):
        root = write_policy(tmp_path / name, ATTESTORS, extra={**beside(), **extra})
        script = (
            "import sys\n"
            "from pathlib import Path\n"
            "from stagepass.policy.store import load_directory\n"
            "ring = load_directory(Path(sys.argv[1])).keys\n"
            "print(ring.times is not None, 'rfc3161_client' in sys.modules, 'sigstore' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(root)], capture_output=True, check=True, text=True
        )
        loaded[name] = done.stdout.split()

    assert loaded == {
        "bare": ["False", "False", "False"],
        "log": ["True", "False", "False"],
        "tsa": ["True", "True", "False"],
    }


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
