"""Which predicate of another type `attest` may sign: one that some requirement of a policy would count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stagepass.attesting import Signed
from stagepass.cli import options, places
from stagepass.cli.passes import Refused
from stagepass.cli.report import judged_image
from stagepass.cli.standing import Standing
from stagepass.decision import Answer, Code, Decision, Enforcement, Violation
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Attestation
from stagepass.policy.case import Reason
from stagepass.policy.demands import Demand, demands
from stagepass.policy.model import PolicySet
from stagepass.policy.refusals import refuse
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, STAGE_ENTERED, STAGE_PASSED
from stagepass.signing import Signer
from stagepass.statement import Statement

# What these say of a stage is checked by their own commands, and would not be by a requirement.
_COMMANDS = {
    STAGE_PASSED: "attest --stage",
    STAGE_ENTERED: "enter",
    APPROVAL: "approve",
    BREAK_GLASS: "break-glass",
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A predicate about `image` that is to be signed, and the `demands` of its type: at least one."""

    policy: PolicySet
    image: ImageRef
    demands: tuple[Demand, ...]

    @classmethod
    def find(
        cls, directory: Path | None, image: ImageRef, predicate_type: str, pipeline: str | None
    ) -> Claimed | None:
        """None without a policy. Raises `InputError` where none of its requirements asks for the type."""
        if directory is None:
            return None
        policy = options.load_policy(directory)
        if command := _COMMANDS.get(predicate_type):
            hint = f"sign it with `stagepass {command}`"
            raise InputError(f"--policy does not check a {predicate_type} of --type", hint=hint)
        if pipeline is not None:
            places.known_pipeline(policy, pipeline)
        found = demands(policy, image, pipeline)
        if not found:
            raise InputError(f"the policy asks for nothing about {image.name}")
        asking = tuple(each for each in found if each.need.predicate_type == predicate_type)
        if not asking:
            types = sorted({each.need.predicate_type for each in found})
            raise InputError(
                f"no requirement about {image.name} asks for {predicate_type}",
                hint=f"asked for are {', '.join(types)}",
            )
        return cls(policy, image, asking)

    def refused(self, signer: Signer, statement: Statement, now: datetime) -> Refused | None:
        """Why that would count nowhere, signed by that signer now, or None."""
        revocations = self.policy.revocations
        if revocations is not None and (verdict := revocations.judge(self.image, now)):
            return self._refused(refuse(*verdict, self.image, self._enforcement))
        who = Standing(self.policy, signer)
        said = who.said(statement)
        reasons = [self._reason(each, who, said, now) for each in self.demands]
        # One that is met is enough: every stage may ask in its own way.
        missing = [reason for reason in reasons if reason is not None]
        return self._denied(missing) if len(missing) == len(reasons) else None

    def stranger(self, signer: Signer, signed: Signed, now: datetime) -> Refused | None:
        """Why what an identity has signed does not count, or None; of a key all is known before."""
        if signed.certified is None:
            return None
        who = Standing(self.policy, signer)
        why = who.refusal(signed.bundle, signed.digest, lambda by: self._counts(by, now))
        if not why:
            return None
        told = (f"{who.name} may not sign {each.where}: {why}" for each in self.demands)
        return self._denied([(Code.SIGNER_UNKNOWN, message) for message in told])

    def _counts(self, attestation: Attestation, now: datetime) -> bool:
        policy, image = self.policy, self.image
        return any(each.unmet(policy, image, attestation, now) is None for each in self.demands)

    def _reason(
        self, demand: Demand, who: Standing, said: Attestation | None, now: datetime
    ) -> Reason | None:
        """Why it does not meet that one; `said` is None of a signer without an entry in the set."""
        unknown = Code.SIGNER_UNKNOWN, ""
        found = demand.unmet(self.policy, self.image, said, now) if said else unknown
        if found is None:
            return None
        code, message = found
        signers = demand.need.signers
        by = f"from {' or '.join(sorted(signers))}"
        if code is Code.SIGNER_UNKNOWN:
            return (
                code,
                f"{who.name} may not sign {demand.where}, which is {by}{who.wanted(signers)}",
            )
        return code, f"{message} ({demand.where}, {by})"

    @property
    def _enforcement(self) -> Enforcement:
        return max(each.enforcement for each in self.demands)

    def _denied(self, reasons: Sequence[Reason]) -> Refused:
        """`reasons` are one for each demand."""
        image, told = str(self.image), zip(self.demands, reasons, strict=True)
        violations = (
            Violation("", image, each.pipeline, each.stage, each.requirement, *reason)
            for each, reason in told
        )
        staged = {(each.pipeline, each.stage) for each in self.demands if each.stage}
        decision = Decision(
            Answer.DENIED,
            self._enforcement,
            places=tuple(sorted(staged)),
            violations=tuple(sorted(violations)),
        )
        return self._refused(decision)

    def _refused(self, decision: Decision) -> Refused:
        return Refused(judged_image(self.image, "", decision), self.policy.revision)
