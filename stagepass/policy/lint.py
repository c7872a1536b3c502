"""
What loads and is still suspicious: findings fail `policy lint` and a CI run, never a running gate.

The rules, by their stable names:

    separation-of-duties       an owner signs passes of two stages, approves and breaks glass, or
                               signs a stage's releases and its passes or approvals; or one workflow or
                               repository stands behind the identities of two owners who should be two
    key-not-bound              a key speaks for several clusters of a stage
    final-stage-asks-nothing   the signers of the passes are all that stands before the last stage
    unreachable-stage          a stage asks for what nobody can sign
    break-glass-out-of-reach   fewer owners can break a stage's glass than it wants
    release-not-recorded       a stage takes passes of a release alone, and one before it has none
    release-unused             a stage has a release and does not look at manifests
    wide-allowance             what anybody may change of an object decides what runs
    webhook-rules              the API server asks nobody about a kind in scope (with --webhook)
    identity-wide              the subject of an identity takes anybody's host or organisation
    identity-any-ref           the subject of an identity takes any branch or tag
    identity-any-caller        a reusable workflow signs for whoever calls it
    trust-root-not-bound       an identity counts under any of several trust roots, or any may date a key
    unused-attestor            nothing names an attestor
    expired-key                a key is over
    expiring-key               a key is over within 14 days, and has no successor
    expired-exemption          an exemption is over
    expired-revocation-list    the revocation list is over

A set without a root signature is no finding: whether there is a root key is the gate's setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from stagepass.policy.lint_duties import approval_and_break_glass, shared_passes
from stagepass.policy.lint_finding import Finding
from stagepass.policy.lint_identities import unbound_roots, wide_identities
from stagepass.policy.lint_keys import ended_rules, ending_keys, unbound, unused
from stagepass.policy.lint_places import shared_places
from stagepass.policy.lint_releases import release_signers, unrecorded_releases, wide_allowances
from stagepass.policy.lint_stages import Signers, asks_nothing, closed_glass, unreachable
from stagepass.policy.model import PolicySet


def lint(policy: PolicySet, *, now: datetime) -> list[Finding]:
    """Every finding, sorted."""
    ends = (*ending_keys(policy, now), *ended_rules(policy, now))
    identities = (*wide_identities(policy), *unbound_roots(policy))
    return sorted((*_of_pipelines(policy, now), *identities, *unused(policy), *ends))


def _of_pipelines(policy: PolicySet, now: datetime) -> Iterator[Finding]:
    signers = Signers(policy, now)
    for pipeline in policy.pipelines:
        yield from shared_passes(policy, pipeline)
        yield from approval_and_break_glass(policy, pipeline)
        yield from shared_places(policy, pipeline)
        yield from release_signers(policy, pipeline)
        yield from unrecorded_releases(pipeline)
        yield from wide_allowances(policy, pipeline)
        yield from unbound(policy, pipeline)
        yield from asks_nothing(policy, pipeline)
        yield from unreachable(pipeline, signers)
        yield from closed_glass(pipeline, signers)
