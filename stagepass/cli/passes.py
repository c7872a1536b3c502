"""Which pass `attest` may sign: what was asked for, checked against a policy where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from stagepass.attesting import Signed
from stagepass.cli import deciding, naming, options, places
from stagepass.cli.report import Judged, judged_image, show
from stagepass.cli.standing import Standing
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.policy.model import PolicySet
from stagepass.policy.refusals import refuse
from stagepass.policy.signers import may_sign
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import PassDetails
from stagepass.signing import Signer
from stagepass.stage import Place


@dataclass(frozen=True, slots=True)
class Refused:
    """The policy set of that revision does not let it be signed."""

    judged: Judged
    revision: str

    def show(self, output: str) -> int:
        """Say why, and return the exit code."""
        return show([self.judged], output=output, revision=self.revision)


@dataclass(frozen=True, slots=True)
class Asked:
    """The pass asked for on the command line; None where nothing was said. `renews` a receipt."""

    image: ImageRef
    stage: str
    pipeline: str | None
    cluster: str | None
    namespace: str | None
    cluster_uid: str | None
    release: NamedRelease | None = None
    renews: bool = False

    def site(
        self,
        policy_directory: Path | None,
        signer: Signer,
        evidence: Sequence[str],
        *,
        offline: bool,
        now: datetime,
    ) -> PassDetails | Refused:
        """What may be signed, by the policy where one is given. Raises `InputError`."""
        if policy_directory is None:
            found = self.as_given()
        else:
            policy = options.load_policy(policy_directory)
            checked = self.by_policy(policy, signer, evidence, offline=offline, now=now)
            if isinstance(checked, Judged):
                return Refused(checked, policy.revision)
            found = checked
        environment = found.environment
        return replace(
            found,
            environment=replace(environment, uid=self.cluster_uid or environment.uid),
            release=self.release,
        )

    def as_given(self) -> PassDetails:
        """Without a policy, nothing can be filled in. Raises `InputError`."""
        if self.pipeline is None or self.cluster is None:
            raise InputError(
                "a pass names its pipeline and cluster",
                hint="give --pipeline and --cluster, or --policy to have them filled in",
            )
        environment = Environment(self.cluster, namespace=self.namespace)
        return PassDetails(self.pipeline, self.stage, environment)

    def by_policy(
        self,
        policy: PolicySet,
        signer: Signer,
        evidence: Sequence[str],
        *,
        offline: bool,
        now: datetime,
    ) -> PassDetails | Judged:
        """
        The pass that the policy leaves, or the refusal to sign.

        Refused when the signer is not one of the stage's, and when the stage does not admit the
        image, or only by break-glass or an exemption: a pass of a version that should never have been
        there launders it (DESIGN section 8.3).
        Raises `InputError` where the policy leaves several choices.
        """
        target = places.one_target(policy, self.stage, self.pipeline, self.image)
        if not self.renews:  # what is renewed says which release it is of
            naming.demand(target.stage, self.release)
        place = target.one_place(self.cluster, self.namespace)
        who = Standing(policy, signer)
        by = (who.key_id, now, who.certified, who.signed)
        if not may_sign(policy, target.stage, place.cluster, *by):
            return self._unknown(target, place, who)
        gate = deciding.verifier(policy, evidence, offline=offline)
        deadline = Deadline.after(options.DEADLINE_SECONDS)
        claims = {target.pipeline.name: naming.claim(self.release)} if self.release else {}
        decision = gate.decide(self.image, place, now=now, deadline=deadline, claims=claims)
        if decision.answer is not Answer.ADMITTED:
            return judged_image(self.image, place.namespace, decision)
        if decision.notes:
            return judged_image(self.image, place.namespace, self._excused(target, decision))
        return PassDetails(
            pipeline=target.pipeline.name,
            stage=self.stage,
            environment=Environment(
                place.cluster, target.stage.cluster_uids.get(place.cluster), place.namespace
            ),
            policy_revision=policy.revision,
            inputs=_inputs(decision),
        )

    def stranger(
        self, policy_directory: Path | None, signer: Signer, signed: Signed, now: datetime
    ) -> Refused | None:
        """
        Why the policy does not count what an identity has signed, None where it does or there is none.

        Of a key all is known before; whether a trust root of the set backs a certificate is not.
        """
        if policy_directory is None or signed.certified is None:
            return None
        policy = options.load_policy(policy_directory)
        target = places.one_target(policy, self.stage, self.pipeline, self.image)
        place, who = target.one_place(self.cluster, self.namespace), Standing(policy, signer)
        why = who.refusal(
            signed.bundle,
            signed.digest,
            lambda by: may_sign(
                policy, target.stage, place.cluster, by.key_id, now, by.certified, by.signed
            ),
        )
        return Refused(self._unknown(target, place, who, why), policy.revision) if why else None

    def _unknown(self, target: places.Target, place: Place, who: Standing, why: str = "") -> Judged:
        message = f"{who.name} may not sign passes of {self.stage!r} in {place.cluster!r}"
        message += f": {why}" if why else who.wanted(target.stage.signed_by)
        here = ((target.pipeline.name, self.stage),)
        denial = refuse(Code.SIGNER_UNKNOWN, message, self.image, target.stage.enforcement, here)
        return judged_image(self.image, place.namespace, denial)

    def _excused(self, target: places.Target, decision: Decision) -> Decision:
        """Let in without its evidence, as by break-glass, it has nothing that a signature may carry on."""
        note = decision.notes[0]
        message = f"it is admitted by {note} alone, and that is never signed for"
        here = ((target.pipeline.name, self.stage),)
        return refuse(note, message, self.image, target.stage.enforcement, here)


def _inputs(decision: Decision) -> tuple[str, ...]:
    passes = {m.payload_digest for m in decision.met if m.predicate_type == STAGE_PASSED}
    return tuple(sorted(digest.removeprefix("sha256:") for digest in passes))
