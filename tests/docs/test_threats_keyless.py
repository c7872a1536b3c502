"""The attempts of docs/threat-model.md against identities, beside those that tests/keyless tries."""

from __future__ import annotations

from stagepass.bundle import Bundle
from stagepass.decision import Answer
from stagepass.evidence import Attestation
from stagepass.policy.lint import lint
from tests.keyless.world import keyless, policy, refusal, root_of, verdict
from tests.policy.signed import receipt
from tests.world import (
    DAY,
    HOUR,
    NOW,
    PROD_EU,
    PROVENANCE,
    VULNERABILITIES,
    judged,
    signed_claim,
    signed_pass,
)

_ROOTS = {"public-good": root_of(), "private": root_of("private")}


def test_a_private_authority_that_names_a_foreign_issuer_certifies_nobody_who_is_bound() -> None:
    """Whoever runs it may write GitHub's name into a certificate, and log it."""
    bound = policy({"trustRoots": ["public-good"]}, roots=_ROOTS)

    code, message = refusal(bound, keyless(instance="private"))

    assert code == "SIGNER_UNKNOWN"
    assert "trust root public-good and not private" in message
    assert isinstance(verdict(bound, keyless()), Attestation)


def test_an_identity_that_is_bound_to_no_root_counts_under_each() -> None:
    """Not stopped, and told by lint."""
    unbound = policy(roots=_ROOTS)

    assert isinstance(verdict(unbound, keyless(instance="private")), Attestation)
    assert "trust-root-not-bound" in {finding.rule for finding in lint(unbound, now=NOW)}


def test_every_branch_of_a_wide_pattern_signs() -> None:
    """Not stopped: `*` is any branch, and stops at a slash; an exact ref is one."""
    assert isinstance(verdict(policy(), keyless(subject=_branch("anything"))), Attestation)
    assert refusal(policy(), keyless(subject=_branch("feature/x")))[0] == "SIGNER_UNKNOWN"
    exact = policy({"subject": _branch("main")})
    assert refusal(exact, keyless(subject=_branch("anything")))[0] == "SIGNER_UNKNOWN"


def test_a_receipt_may_be_older_than_its_own_proof() -> None:
    """Not stopped: `enter --renew` signs today what entered long ago, and so may the stage's own signer."""
    job = {"issuer": "https://ci.example.com", "subject": "https://ci.example.com/prod"}
    signs = {"attestors.prod-clusters.identities": [{**job, "owner": "prod-eu"}]}
    shop = policy(changes=signs)
    evidence = [
        signed_claim(PROVENANCE, "ci"),
        signed_claim(VULNERABILITIES, "scanner"),
        signed_pass("test", at=NOW - 100 * DAY),
        signed_pass("staging", at=NOW - 100 * DAY),
    ]
    payload = Bundle.parse(receipt(entered=NOW - 90 * DAY)).envelope.payload
    dated_back = keyless(payload, issuer=job["issuer"], subject=job["subject"], at=NOW - HOUR)

    assert judged(shop, evidence, PROD_EU).answer is Answer.DENIED
    assert judged(shop, [*evidence, dated_back], PROD_EU).answer is Answer.ADMITTED


def _branch(name: str) -> str:
    return f"https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/{name}"
