"""Evidence and policies to try the laws on: real signatures, made once, put together in every way."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from stagepass.evidence import Attestation, Candidate, Evidence, Rejection
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from tests.world import (
    DAY,
    DIGEST,
    HOUR,
    NOW,
    PROD_EU,
    PROD_US,
    PROVENANCE,
    STAGING,
    TEST,
    VULNERABILITIES,
    policy_set,
    signed_claim,
    signed_pass,
)

LAW = settings(derandomize=True, deadline=None, max_examples=200, database=None)

ARCHIVE = Place("archive", "shop")
PLACES = [TEST, STAGING, PROD_EU, PROD_US, ARCHIVE, Place("test", "other"), Place("x", "shop")]
_ARCHIVE_STAGE = {
    "name": "archive",
    "clusters": ["archive"],
    "namespaces": ["shop"],
    "after": ["production"],
}
BASE = {"pipeline.stages.3": _ARCHIVE_STAGE}
MAY_SIGN = {
    ("test", "test"): {"test-cluster"},
    ("staging", "staging"): {"staging-cluster"},
    ("production", "prod-eu"): {"prod-eu"},
    ("production", "prod-us"): {"prod-us"},
}
_KEYS = ("ci", "test-cluster", "staging-cluster", "prod-eu", "prod-us", "scanner", "stranger")
_CLAIMS = {PROVENANCE: "ci", VULNERABILITIES: "scanner"}


def _passes(note: str, by: str | None = None, **details: Any) -> dict[str, bytes]:
    """One of each stage and cluster, named for people: a failing example shows these names."""
    return {
        f"{s}@{c}, {note}": signed_pass(s, c, by, **details)
        for s, c in MAY_SIGN
        if by is None or by not in MAY_SIGN[s, c]
    }


GOOD = {
    **{f"{kind}, good": signed_claim(kind, by) for kind, by in _CLAIMS.items()},
    **_passes("good"),
}
FOREIGN = {
    name: bundle
    for by in _KEYS
    for name, bundle in (
        *_passes(f"by {by}", by).items(),
        *((f"{k}, by {by}", signed_claim(k, by)) for k, own in _CLAIMS.items() if by != own),
    )
}
"""Each by a real key that may not sign it: another stage's, another cluster's, nobody's."""
USELESS = {
    **_passes("dated tomorrow", at=NOW + DAY),
    **_passes("40 days old", at=NOW - 40 * DAY, valid_for=90 * DAY),
    **_passes("expired", at=NOW - DAY, valid_for=HOUR),
    **_passes("watched for an hour", watched=HOUR),
    **_passes("of another pipeline", changes={"pipeline": "other"}),
    **_passes("failed", changes={"verificationResult": "FAILED"}),
    **_passes("critical", changes={"critical": ["unheard"]}),
    "empty": b"",
    "junk": b"junk",
    "object": b"{}",
    "list": b'{"mediaType":[]}',
}
"""Each by the right key, and yet not the pass that is asked for; or not even a bundle."""
NEARLY_OVER = {
    **_passes("one day left", at=NOW - 29 * DAY, valid_for=30 * DAY),
    **_passes("three days left", at=NOW - 27 * DAY, valid_for=30 * DAY),
    **_passes("29 days old", at=NOW - 29 * DAY, valid_for=90 * DAY),
}
ALL = {**GOOD, **FOREIGN, **USELESS, **NEARLY_OVER}

_MORE = st.lists(st.sampled_from([*FOREIGN, *USELESS, *NEARLY_OVER]), max_size=4)


def _versions(name: str) -> st.SearchStrategy[list[str]]:
    """For one requirement: what meets it, or what only looks like that, or nothing."""
    what = name.partition(", ")[0]
    others = [other for other in ALL if other.startswith(f"{what}, ") and other != name]
    return st.just([name]) | st.sampled_from(others).map(lambda other: [other]) | st.just([])


bundles = st.builds(
    lambda *parts: [name for part in parts for name in part], *map(_versions, GOOD), _MORE
) | st.builds(lambda more: [*GOOD, *more], _MORE)
"""The names of what admits, or of something else in its place, among what does not count."""
foreign = st.just(list(FOREIGN)) | st.lists(st.sampled_from(list(FOREIGN)), min_size=1, max_size=8)
places = st.sampled_from(PLACES)
changes = st.fixed_dictionaries(
    {},
    optional={
        "pipeline.stages.1.enforcement": st.sampled_from(["enforce", "warn", "audit"]),
        "pipeline.stages.2.enforcement": st.sampled_from(["enforce", "warn", "audit"]),
        "pipeline.stages.2.after.0.soak": st.sampled_from(["1h", "24h", "25h"]),
        "pipeline.stages.2.after.0.maxAge": st.sampled_from(["30m", "30d", "60d"]),
        "pipeline.stages.2.namespaces": st.sampled_from([["shop"], ["*"], ["cart"]]),
        "defaults.unlisted": st.sampled_from(["deny", "warn", "audit"]),
    },
)


@cache
def _world(altered: str, extra: str) -> PolicySet:
    text = {"wider.yaml": extra} if extra else None
    return policy_set({**BASE, **json.loads(altered)}, extra=text)


def world(altered: dict[str, Any], extra: str = "") -> PolicySet:
    """The shop with an archive after production, altered; `extra` is a policy file more."""
    return _world(json.dumps(altered, sort_keys=True), extra)


@cache
def _verified(name: str) -> Attestation | Rejection:
    return policy_set().keys.verify(Candidate(ALL[name], name), DIGEST)


def evidence(names: list[str]) -> Evidence:
    """What the key ring makes of these bundles, in this order."""
    found = [_verified(name) for name in names]
    return Evidence(
        tuple(item for item in found if isinstance(item, Attestation)),
        tuple(item for item in found if isinstance(item, Rejection)),
    )
