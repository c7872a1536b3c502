"""Seeds in which evidence counts that proves nothing: wrong type, subject, signer, stage or time."""

from __future__ import annotations

from tests.seeded.patch import seed

SEEDS = (
    seed(
        "type-not-compared",
        "CVE-2022-35930",
        "an attestation of any type satisfies a requirement for one type",
        "core/test_evaluate_policy.py core/test_evaluate_passes.py",
        (
            "stagepass/policy/case.py",
            "if a.statement.predicate_type == predicate_type",
            "if a.statement.predicate_type",
        ),
    ),
    seed(
        "zero-evidence-is-success",
        "CVE-2025-25204",
        "an image about which nothing was ever attested is admitted",
        "core/test_evaluate_policy.py core/test_verifier.py",
        (
            "stagepass/policy/evaluate.py",
            "answer=Answer.DENIED if violations else Answer.ADMITTED,",
            "answer=Answer.DENIED if violations and case.evidence.attestations else Answer.ADMITTED,",
        ),
    ),
    seed(
        "subject-not-compared",
        "CVE-2026-22703",
        "a statement about one digest counts for every other",
        "core/test_attestor.py core/test_mutations.py",
        (
            "stagepass/attestor.py",
            "or digest in found.statement.digests:",
            "or found.statement.digests:",
        ),
    ),
    seed(
        "signature-not-checked",
        "CVE-2022-36056",
        "a bundle that names a configured key is believed without its signature",
        "core/test_attestor.py core/test_mutations.py",
        (
            "stagepass/attestor.py",
            "if hinted is not None and hinted.verifies(envelope, message):",
            "if hinted is not None:",
        ),
    ),
    seed(
        "payload-type-not-compared",
        "CVE-2026-39395",
        "a payload signed as something else is read as an in-toto statement",
        "core/test_attestor.py",
        (
            "stagepass/attestor.py",
            "if bundle.envelope.payload_type != PAYLOAD_TYPE:",
            "if not bundle.envelope.payload_type:",
        ),
    ),
    seed(
        "stage-signers-ignored",
        "CVE-2026-27111",
        "any key of the policy set may sign any stage's pass, not only the stage's own signers",
        "core/test_evaluate_passes.py",
        (
            "stagepass/policy/passes.py",
            "asked.case.keys(attestation, asked.stage.signed_by)",
            "asked.case.keys(attestation, asked.case.policy.attestors)",
        ),
    ),
    seed(
        "key-not-bound-to-cluster",
        "CVE-2023-22736",
        "the key of one cluster signs passes of another",
        "core/test_evaluate_passes.py",
        (
            "stagepass/policy/passes.py",
            "[key for key in keys if key.counts_in(cluster)]",
            "keys",
        ),
    ),
    seed(
        "ancestors-ignored",
        "V91, GitOps Promoter 3e50c4d9",
        "only direct parents are asked for, so a gate further up can be skipped",
        "core/test_evaluate_passes.py",
        (
            "stagepass/policy/model.py",
            "queue = [edge.stage for edge in stage.after]",
            "queue: list[str] = []",
        ),
    ),
    seed(
        "pipeline-not-compared",
        "CVE-2024-31990",
        "a pass in one pipeline counts in another with a stage of the same name",
        "core/test_evaluate_passes.py",
        (
            "stagepass/policy/passes.py",
            "if (claim.pipeline, claim.stage) != (asked.case.pipeline, asked.stage.name):",
            "if claim.stage != asked.stage.name:",
        ),
    ),
    seed(
        "key-window-not-compared",
        "CVE-2026-54787",
        "a key counts after the end of its validity window",
        "core/test_evaluate_passes.py core/test_evaluate_policy.py",
        (
            "stagepass/policy/attestors.py",
            "self.valid_until is None or entry < self.valid_until",
            "True",
        ),
    ),
    seed(
        "threshold-counts-signatures",
        "CVE-2026-49834",
        "two approvals by one owner reach a threshold of two",
        "policy/test_approvals.py",
        (
            "stagepass/policy/requirements.py",
            "by_owner.setdefault(attestation.owner, (met, outcome.until))",
            "by_owner.setdefault(str(attestation.statement.payload_digest), (met, outcome.until))",
        ),
    ),
    seed(
        "emergency-counts-signatures",
        "CVE-2026-49834",
        "one owner alone breaks the glass where two must",
        "policy/test_break_glass.py",
        (
            "stagepass/policy/entry.py",
            "found.setdefault(attestation.owner, (met, claim))",
            "found.setdefault(str(attestation.statement.payload_digest), (met, claim))",
        ),
    ),
    seed(
        "revoked-image",
        "CVE-2024-41666",
        "an image on the revocation list is admitted",
        "policy/test_revocations.py",
        (
            "stagepass/policy/revocations.py",
            "return None if image.digest is None else self.artifacts.get(image.digest.hex)",
            "return None",
        ),
    ),
    seed(
        "revoked-key",
        "CVE-2025-23208",
        "what a revoked key signed still counts",
        "policy/test_revocations.py",
        (
            "stagepass/policy/revocations.py",
            "if revoked.kills(attestation.signed):",
            "if False:",
        ),
    ),
    seed(
        "receipt-makes-a-pass",
        "CVE-2026-24748",
        "a receipt of having entered excuses what entering needs",
        "policy/test_receipts.py policy/test_receipt_limits.py",
        (
            "stagepass/policy/evaluate.py",
            "stayed = _judge_at(replace(case, entry=receipt.entered), pipeline, stage)",
            "stayed = replace(ordinary, answer=Answer.ADMITTED, violations=())",
        ),
    ),
    seed(
        "emergency-excuses-a-digest",
        "CVE-2023-38495",
        "in a stage with a break-glass rule a mutable tag is not refused",
        "policy/test_break_glass_limits.py",
        (
            "stagepass/policy/evaluate.py",
            "if stages and image.digest is None:",
            "if stages and image.digest is None and not any(s.break_glass for _, s in stages):",
        ),
    ),
    seed(
        "duplicate-keys",
        "V16, CVE-2026-44309",
        "of two members with one name the last one wins, so two readers see two documents",
        "core/test_strictjson.py",
        ("stagepass/strictjson.py", "if len(found) != len(pairs):", "if not pairs and found:"),
    ),
    seed(
        "null-subject",
        "V15, cosign d996ce12",
        "null in the list of subjects crashes the reader",
        "core/test_statement.py",
        (
            "stagepass/statement.py",
            "if not isinstance(subject, dict) or not subject or subject.keys() - _SUBJECT_MEMBERS:",
            "if subject == {}:",
        ),
    ),
)
