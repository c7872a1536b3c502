"""Lint: keys that speak for too much, and what is over, soon over, or never asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from stagepass.clock import format_duration, format_time
from stagepass.policy.attestors import Attestor, Key
from stagepass.policy.lint_finding import Finding, of_attestor, of_stages
from stagepass.policy.model import Pipeline, PolicySet

SOON = timedelta(days=14)
"""How long before its end a key without a successor is reported."""


def unbound(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """`key-not-bound`: in a stage with several clusters, no cluster's key speaks for another."""
    for stage in pipeline.stages:
        for name in stage.signed_by if len(stage.clusters) > 1 else ():
            for key in policy.attestors[name].keys:
                if key.clusters is None or len(key.clusters & set(stage.clusters)) > 1:
                    yield Finding(
                        of_stages(pipeline, stage),
                        "key-not-bound",
                        f"the {key.word} of {key.owner!r} in {name!r} counts for several of the stage's"
                        f" clusters; bind it with clusters: [ONE]",
                    )


def ending_keys(policy: PolicySet, now: datetime) -> Iterator[Finding]:
    """
    `expired-key`: no key is over. `expiring-key`: none ends within 14 days, unless another key of
    its owner takes over in time, in the same attestor and for the same clusters.
    """
    for attestor, key in policy.all_keys():
        if key.valid_until is None:
            continue
        where, end = of_attestor(attestor.name), format_time(key.valid_until)
        if key.valid_until <= now:
            yield Finding(
                where,
                "expired-key",
                f"the {key.word} of {key.owner!r} ended at {end}, and nothing new enters by it; take it out"
                " once nothing that entered by it still runs",
            )
        elif key.valid_until <= now + SOON and not _has_successor(attestor, key, now):
            yield Finding(
                where,
                "expiring-key",
                f"the {key.word} of {key.owner!r} ends at {end}, in less than {format_duration(SOON)}; add"
                " its successor, so that both are valid for a while",
            )


def ended_rules(policy: PolicySet, now: datetime) -> Iterator[Finding]:
    """`expired-exemption`, `expired-revocation-list`: no exemption and no revocation list is over."""
    for exemption in policy.exempt:
        if exemption.expires <= now:
            images = ", ".join(pattern.text for pattern in exemption.images)
            yield Finding(
                "exempt",
                "expired-exemption",
                f"that of {images} ended at {format_time(exemption.expires)}; take it out, or renew it",
            )
    listed = policy.revocations
    if listed is not None and listed.expires <= now:
        effect = "every image is denied" if listed.deny_when_expired else "every answer warns of it"
        yield Finding(
            "revocations",
            "expired-revocation-list",
            f"the list ended at {format_time(listed.expires)}: {effect}; sign a new one",
        )


def unused(policy: PolicySet) -> Iterator[Finding]:
    """`unused-attestor`: something names every attestor."""
    used = {name for pipeline in policy.pipelines for name in _named(pipeline)}
    used |= {name for b in policy.baselines for need in b.requires for name in need.signers}
    used |= set(policy.revocations.signers) if policy.revocations else set()
    for name in policy.attestors.keys() - used:
        message = "nothing names it; take it out, or name it where it should sign"
        yield Finding(of_attestor(name), "unused-attestor", message)


def _named(pipeline: Pipeline) -> Iterator[str]:
    for stage in pipeline.stages:
        yield from stage.signed_by
        yield from stage.break_glass.signers if stage.break_glass else ()
        yield from stage.release.signers if stage.release else ()
        for need in stage.requires:
            yield from need.signers
        for wanted in stage.approvals:
            yield from (*wanted.signers, *wanted.not_by)


def _has_successor(attestor: Attestor, key: Key, now: datetime) -> bool:
    return any(
        other.owner == key.owner
        and (other.valid_until is None or other.valid_until > now + SOON)
        and (other.valid_from is None or other.valid_from <= now + SOON)
        and _speaks_for_all_of(other, key)
        for other in attestor.keys
    )


def _speaks_for_all_of(other: Key, key: Key) -> bool:
    if other.clusters is None or key.clusters is None:
        return other.clusters is None
    return other.clusters >= key.clusters
