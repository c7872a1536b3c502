"""
Worlds in the whole policy language, and every kind of evidence for them.

As in `worlds`: real signatures, made once, put together in every way. A failing example shows names.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from stagepass.clock import format_time
from stagepass.evidence import Attestation, Candidate, Evidence, Rejection
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import STAGE_PASSED
from stagepass.stage import Place
from tests.policy.signed import (
    ATTESTORS,
    FULL,
    approval,
    beside,
    claim,
    emergency,
    key,
    receipt,
    revocation_list,
    revocation_of,
    scan,
)
from tests.property.releases import OF_RELEASES, RELEASES, named
from tests.property.worlds import FOREIGN as FOREIGN_PASSES
from tests.property.worlds import MAY_SIGN
from tests.world import (
    DAY,
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROD_US,
    PROVENANCE,
    STAGING,
    TEST,
    policy_set,
    signed_claim,
    signed_pass,
    statement,
)

ARCHIVE = Place("archive", "shop")
SYSTEM = Place("prod-eu", "kube-system")
PLACES = (TEST, STAGING, PROD_EU, PROD_US, ARCHIVE, SYSTEM, Place("unknown", "shop"))
places = st.sampled_from(PLACES)
SBOM = "https://example.com/sbom"
ARCHIVE_STAGE = {
    "name": "archive",
    "clusters": ["archive"],
    "namespaces": ["shop"],
    "signedBy": ["security"],
    "after": ["production"],
    "breakGlass": {"from": ["incident-commanders"], "maxDuration": "4h"},
}
WHERE = "size(predicate.scanner.result.critical) == 0"
FRESH = f"{WHERE} && timestamp(predicate.metadata.scanFinishedOn) > now - duration('30h')"
FLOOR = {
    "kind": "Baseline",
    "metadata": {"name": "floor"},
    "images": ["**"],
    "namespaces": ["*"],
    "requires": [
        {
            "attestation": {
                "name": "sbom",
                "from": ["scanner"],
                "predicateType": SBOM,
                "time": "predicate.at",
                "maxAge": "40h",
            }
        }
    ],
}
SECOND_PIPELINE = {
    "kind": "Pipeline",
    "metadata": {"name": "second"},
    "images": ["registry.example.com/**"],
    "stages": [
        {"name": "s1", "clusters": ["test", "staging"], "namespaces": ["shop"]},
        {
            "name": "s2",
            "clusters": ["prod-eu", "archive"],
            "namespaces": ["shop", "kube-*"],
            "requires": [{"approval": {"from": ["release-managers"]}}],
        },
    ],
}
_EXEMPT = {"images": ["registry.example.com/**"], "reason": "x", "allowTags": True}
_SECTION = "pipeline.stages.2"


def exemption(namespace: str, ends: timedelta) -> dict[str, Any]:
    """Of our own image, in that namespace."""
    return {**_EXEMPT, "namespaces": [namespace], "expires": format_time(NOW + ends)}


def _listed(value: timedelta | None, on_expired: str, what: str) -> dict[str, Any]:
    return {"ends": value and int(value.total_seconds()), "onExpired": on_expired, "what": what}


changes = st.fixed_dictionaries(
    {},
    optional={
        f"{_SECTION}.requires.0.approval.threshold": st.sampled_from([1, 2, 3]),
        f"{_SECTION}.requires.0.approval.maxAge": st.sampled_from(["3h", "30d"]),
        f"{_SECTION}.requires.1.attestation.where": st.sampled_from([WHERE, FRESH, "true"]),
        f"{_SECTION}.requires.1.attestation.maxAge": st.sampled_from(["2h", "7d"]),
        f"{_SECTION}.windows": st.sampled_from(
            [
                [{"deny": "12:00 - 13:00", "timezone": "UTC"}],
                [{"deny": "13:00 - 11:30", "timezone": "Europe/Berlin"}],
            ]
        ),
        f"{_SECTION}.breakGlass.threshold": st.sampled_from([1, 2]),
        f"{_SECTION}.breakGlass.maxDuration": st.sampled_from(["30m", "4h"]),
        f"{_SECTION}.after.0.clusters": st.sampled_from(["all", "any"]),
        f"{_SECTION}.after.0.maxAge": st.sampled_from(["3h", "30d"]),
        f"{_SECTION}.enforcement": st.sampled_from(["enforce", "warn", "audit"]),
        f"{_SECTION}.manifests": st.sampled_from(["required", "required", "warn"]),
        "pipeline.stages.1.manifests": st.sampled_from(["required", "warn"]),
        "pipeline.stages.3.after": st.sampled_from(
            [["production"], [{"stage": "production", "clusters": "any", "soak": "24h"}]]
        ),
        "attestors.scanner.keys": st.sampled_from(
            [[key("scanner", validUntil=format_time(NOW + 3 * HOUR))]]
        ),
        "defaults.exempt": st.sampled_from(
            [
                [exemption("kube-system", 5 * HOUR)],
                [exemption("shop", 5 * HOUR), exemption("shop", 2 * HOUR)],
            ]
        ),
        "defaults.unlisted": st.sampled_from(["deny", "warn", "audit"]),
        "floor": st.just(value=True),
        "second": st.just(value=True),
        "list": st.sampled_from(
            [
                _listed(4 * HOUR, "deny", ""),
                _listed(4 * HOUR, "warn", ""),
                _listed(90 * DAY, "deny", "staging@staging, good"),
                _listed(90 * DAY, "warn", "alice approves"),
            ]
        ),
    },
)


def _passes(note: str, **details: Any) -> dict[str, bytes]:
    return {f"{s}@{c}, {note}": signed_pass(s, c, **details) for s, c in MAY_SIGN}


def _here(stage: str, cluster: str) -> dict[str, Any]:
    return {"stage": stage, "environment.clusterName": cluster}


GOOD = {
    "provenance": signed_claim(PROVENANCE, "ci"),
    "clean scan": scan(),
    "sbom": claim(SBOM, {"at": format_time(NOW - HOUR)}, "scanner"),
    "alice approves": approval("alice"),
    "bob approves": approval("bob"),
    **_passes("good"),
}
TIMED = {
    **_passes("two hours left", at=NOW - DAY, valid_for=DAY + 2 * HOUR),
    **_passes("not soaked", watched=HOUR),
    "scan of yesterday": scan(at=NOW - DAY),
    "scan with a finding": scan(critical=("CVE-1",)),
    "sbom of yesterday": claim(SBOM, {"at": format_time(NOW - DAY)}, "scanner"),
    "alice's laptop approves": approval("alice-laptop", at=NOW - 2 * HOUR),
    "alice approves for an hour": approval("alice", at=NOW, valid_for=HOUR),
    "bob approves in prod-us": approval("bob", changes={"scope.clusters": ["prod-us"]}),
    "bob approved last month": approval("bob", at=NOW - 31 * DAY, valid_for=90 * DAY),
    "carol breaks the glass": emergency("carol", valid_for=30 * timedelta(minutes=1)),
    "dave breaks the glass for long": emergency("dave", valid_for=4 * HOUR),
    "carol breaks that of the archive": emergency(changes={"scope.stage": "archive"}),
    "entered prod-eu": receipt(),
    "entered prod-eu, two hours left": receipt(entered=NOW - HOUR, expires=NOW + 2 * HOUR),
    "entered prod-eu yesterday": receipt(entered=NOW - DAY),
    "entered prod-us": receipt("prod-us", changes=_here("production", "prod-us")),
    "entered staging": receipt("staging-cluster", changes=_here("staging", "staging")),
    "entered archive": receipt("security", changes=_here("archive", "archive")),
}
_ENTERED_BY = {"production": "prod-eu", "staging": "staging-cluster", "archive": "security"}
_OTHERS = ("ci", "test-cluster", "staging-cluster", "prod-us", "scanner", "alice", "carol")
FOREIGN = {
    **{f"pass: {name}": bundle for name, bundle in FOREIGN_PASSES.items()},
    **{f"approval by {by}": approval(by) for by in ("ci", "scanner", "carol", "prod-eu", "dave")},
    **{f"scan by {by}": scan(by) for by in ("ci", "alice", "security")},
    **{f"sbom by {by}": claim(SBOM, {"at": format_time(NOW)}, by) for by in ("ci", "security")},
    **{
        f"break-glass by {by}": emergency(by) for by in ("alice", "prod-eu", "security", "stranger")
    },
    **{
        f"receipt of {stage} by {by}": receipt(by, changes=_here(stage, cluster))
        for stage, cluster in (("production", "prod-eu"), ("staging", "staging"))
        for by in _OTHERS
        if by != _ENTERED_BY[stage]
    },
    **{
        f"{s}@{c} by {by}, of release 1": signed_pass(
            s, c, by, changes=named(RELEASES["release 1"])
        )
        for s, c in MAY_SIGN
        for by in ("ci", "scanner", "alice")
    },
    **{
        f"approval by {by}, of release 1": approval(by, changes=named(RELEASES["release 1"]))
        for by in ("ci", "prod-eu")
    },
    "key list in the registry": revocation_list(),
    "junk": b"junk",
    "no statement": statement(STAGE_PASSED),
}
"""Each by a real key that may not sign it, or by nobody."""
ALL = {**GOOD, **TIMED, **FOREIGN, **OF_RELEASES}

_SOME = st.lists(st.sampled_from(list(GOOD)), unique=True, min_size=4)
_MORE = st.lists(st.sampled_from([*TIMED, *TIMED, *FOREIGN]), max_size=8)
_OF_ONE = st.sampled_from(list(RELEASES)).map(
    lambda release: [name for name in OF_RELEASES if name.endswith(release)]
)
_OF_SOME = (
    st.just(list[str]())
    | _OF_ONE
    | _OF_ONE
    | st.lists(st.sampled_from(list(OF_RELEASES)), max_size=6)
)
bundles = st.builds(lambda some, more, of: [*some, *more, *of], _SOME, _MORE, _OF_SOME) | (
    st.builds(lambda more, of: [*GOOD, *more, *of], _MORE, _OF_SOME)
)
moments = st.sampled_from(
    [NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + 2 * DAY, NOW + 8 * DAY, NOW + 50 * DAY]
) | st.integers(0, 100 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))


@cache
def _world(altered: str) -> PolicySet:
    parts: dict[str, Any] = json.loads(altered)
    floor, second = parts.pop("floor", False), parts.pop("second", False)
    documents = [*([FLOOR] if floor else []), *([SECOND_PIPELINE] if second else [])]
    listed, files = parts.pop("list", None), {}
    if listed is not None:
        revocations = {"kind": "Revocations", "file": "list.json", "from": ["security"]}
        documents.append({**revocations, "onExpired": listed["onExpired"]})
        files["list.json"] = _list(listed["ends"], listed["what"]).decode()
    released = {f"pipeline.stages.{n}.release": {"from": ["ci"]} for n in (1, 2)}
    everything = {**ATTESTORS, **FULL, **released, "pipeline.stages.3": ARCHIVE_STAGE, **parts}
    return policy_set(everything, extra={**beside(*documents), **files})


def _list(ends: int, what: str) -> bytes:
    entries = [revocation_of(GOOD[what])] if what else []
    return revocation_list(*entries, expires=NOW + timedelta(seconds=ends))


def world(altered: dict[str, Any]) -> PolicySet:
    """The shop in full with an archive after production, altered."""
    return _world(json.dumps(altered, sort_keys=True))


@cache
def _verified(name: str) -> Attestation | Rejection:
    return world({}).keys.verify(Candidate(ALL[name], name), DIGEST)


def evidence(names: list[str], *more: bytes) -> Evidence:
    """What the key ring makes of these bundles, in this order; `more` are new ones."""
    found = [_verified(name) for name in names]
    found += [world({}).keys.verify(Candidate(data, str(IMAGE)), DIGEST) for data in more]
    return Evidence(
        tuple(item for item in found if isinstance(item, Attestation)),
        tuple(item for item in found if isinstance(item, Rejection)),
    )
