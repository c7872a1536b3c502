"""People's word that a set of objects may be deleted: what they sign, and whether it counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from applier.application import Application
from applier.rules import identity
from stagepass import canonical
from stagepass.digest import Digest, ImageRef
from stagepass.evidence import MAX_CANDIDATES, Attestation, Candidate, Evidence, Rejection
from stagepass.manifest import ObjectId
from stagepass.policy.case import Case, Finding
from stagepass.policy.model import PolicySet
from stagepass.policy.requirements import judge_approvals
from stagepass.stage import Place

FOLDER, NAME = ".stagepass", "prune-approval.sigstore.json"
"""Below the source's root. One bundle a line, so that one approval is a bundle as cosign reads it."""

_MAX_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Prune:
    """
    Exactly the objects that an application would be rid of.

    Those that are gone already stay among them until all are: a prune that stopped half-way goes on by
    the same approval.
    """

    application: Application
    objects: frozenset[ObjectId]

    @property
    def digest(self) -> Digest:
        """The subject of an approval. No image has it: it is of no manifest."""
        here = self.application
        document = {
            "pipeline": here.pipeline.name,
            "stage": here.stage.name,
            "cluster": here.cluster,
            "objects": sorted(map(identity, self.objects)),
        }
        return Digest.of(canonical.dumps(document))

    @property
    def places(self) -> list[Place]:
        """Where they are; an approval for some namespaces covers no object that is in none."""
        namespaces = {each.namespace for each in self.objects} or {""}
        return [Place(self.application.cluster, name) for name in sorted(namespaces)]


def objection(policy: PolicySet, prune: Prune, file: bytes | None, now: datetime) -> str | None:
    """
    Why the approvals in `file` do not allow it, None where they do.

    Every approval that the stage asks for an image is asked for here as well, by the same rules:
    distinct owners, `notBy`, scope, `expires`, `maxAge`, revocations.
    """
    stage = prune.application.stage
    if not stage.approvals:
        return f"policy asks for no approval at the stage {stage.name!r}, so nobody can give one"
    if policy.expires is not None and policy.expires <= now:
        return "the signed policy set has expired"
    subject = ImageRef("stagepass.dev", "prune", None, prune.digest)
    lines = [line for line in (file or b"").splitlines() if line.strip()]
    if len(lines) > MAX_CANDIDATES:
        return f"{NAME} has over {MAX_CANDIDATES} lines"
    evidence = _evidence(policy, lines, prune.digest)
    if policy.revocations is not None:
        verdict = policy.revocations.judge(subject, now)
        if verdict is not None:
            return verdict[1]
        evidence = policy.revocations.keep(evidence)
    for place in prune.places:
        name = prune.application.pipeline.name
        case = Case(policy, name, stage.name, subject, place, evidence, now, now)
        for finding in (judge_approvals(case, need) for need in stage.approvals):
            if finding.missing is not None:
                return _said(finding, finding.missing[1], evidence)
    return None


def _evidence(policy: PolicySet, lines: Sequence[bytes], digest: Digest) -> Evidence:
    found: list[Attestation] = []
    rejected: list[Rejection] = []
    for number, line in enumerate(lines, start=1):
        read = policy.keys.verify(Candidate(line, f"line {number}"), digest)
        if isinstance(read, Rejection):
            rejected.append(read)
        else:
            found.append(read)
    return Evidence(tuple(found), tuple(rejected))


def _said(finding: Finding, missing: str, evidence: Evidence) -> str:
    texts = [text for _, text in finding.reasons]
    texts += [f"{each.origin}: {each.message}" for each in evidence.rejections]
    found = "; ".join(text[:120] for text in texts[:_MAX_SHOWN])
    return f"{missing} (found instead: {found})" if found else missing
