"""
Evidence as a policy case describes it: who says what, without a signature.

What is described becomes the `Attestation` that a verified bundle of that signer would be. So a case
needs no private key; it judges the policy, and never how signatures are verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass import strictjson
from stagepass.clock import parse_duration, parse_time
from stagepass.digest import Digest, ImageRef
from stagepass.errors import did_you_mean
from stagepass.evidence import Attestation, Evidence
from stagepass.policy.attestors import Key
from stagepass.policy.model import Pipeline, PolicySet
from stagepass.policy.schema import At, Field, ListOf, Mapped, OneOf, Problems, Reader, Text
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, STAGE_ENTERED, STAGE_PASSED, Scope
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import PassDetails
from stagepass.predicates.people import APPROVED, Approval, BreakGlass
from stagepass.statement import Statement, compose


@dataclass(frozen=True, slots=True)
class Json:
    """A mapping of whatever JSON can hold."""

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The mapping as it is."""
        if not isinstance(value, dict):
            problems.add(at, "a mapping is wanted")
            return {}
        try:
            strictjson.dumps(value)
        except TypeError as error:
            problems.add(at, f"cannot be written as JSON: {error}")
        return value


_DURATION, _NAMES = Text(parse_duration), ListOf(Text())
_WHO = {"by": Field(Text()), "image": Field(Text(ImageRef.parse), None)}
_WHEN = {**_WHO, "at": Field(Text(parse_time), None)}
OF_STAGE = {"stage": Field(Text()), "pipeline": Field(Text(), None)}
"""Which stage something is of."""
_FROM = {
    **OF_STAGE,
    "cluster": Field(Text()),
    "namespace": Field(Text(), None),
    "uid": Field(Text(), None),
}
_SCOPE = {**OF_STAGE, "clusters": Field(_NAMES, None), "namespaces": Field(_NAMES, None)}


def _valid_for(text: str) -> dict[str, Field]:
    return {"validFor": Field(_DURATION, parse_duration(text))}


DESCRIBED: Reader = OneOf(
    {
        "pass": Mapped({**_WHEN, **_FROM, **_valid_for("30d"), "observed": Field(_DURATION, None)}),
        "entered": Mapped({**_WHEN, **_FROM, **_valid_for("30d")}),
        "attestation": Mapped({**_WHO, "type": Field(Text()), "predicate": Field(Json())}),
        "approval": Mapped({**_WHEN, **_SCOPE, **_valid_for("2d")}),
        "breakGlass": Mapped(
            {**_WHEN, **_SCOPE, **_valid_for("1h"), "reason": Field(Text(), "described in a case")}
        ),
    }
)
"""One piece of evidence. Lives and defaults are those of the commands that sign such statements."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement by the holder of `key`. `about` is a digest, None for every image of the case."""

    predicate_type: str
    key: Key
    about: Digest | None
    predicate: Callable[[str], bytes]

    def of(self, image: ImageRef, digest: Digest) -> Attestation:
        """As if a bundle about `image` had been signed, found and verified."""
        payload = compose(
            name=image.name,
            digest=digest,
            predicate_type=self.predicate_type,
            predicate=self.predicate(f"{image.name}@{digest}"),
        )
        return self.key.said(Statement.parse(payload))


def evidence_about(image: ImageRef, claims: Iterable[Claim]) -> Evidence:
    """What these claims say about `image`."""
    digest = image.digest
    if digest is None:
        return Evidence()
    return Evidence(tuple(c.of(image, digest) for c in claims if c.about in (None, digest)))


@dataclass(frozen=True, slots=True)
class Describer:
    """
    Makes claims of what a case says, at its `now`; every unknown name is a problem.

    `release` is what passes, receipts and approvals of the case name.
    """

    policy: PolicySet
    now: datetime
    problems: Problems
    release: NamedRelease | None = None

    def claim(self, kind: str, raw: dict[str, Any]) -> Claim | None:
        """One of `DESCRIBED`, or None with a problem."""
        make = {
            "pass": self._passed,
            "entered": self._entered,
            "attestation": self._attestation,
            "approval": self._approval,
            "breakGlass": self._break_glass,
        }[kind]
        key = self.key(raw)
        if key is None:
            return None
        pipeline = "" if kind == "attestation" else self.pipeline(raw)
        predicate_type, predicate = make(raw, pipeline)
        about = raw["image"].digest if raw["image"] else None
        return Claim(predicate_type, key, about, predicate)

    def _passed(self, raw: dict[str, Any], pipeline: str) -> tuple[str, Callable[[str], bytes]]:
        at, watched = raw["at"] or self.now, raw["observed"]
        observed = None if watched is None else (at - watched, at)
        where = self._environment(raw)
        details = PassDetails(pipeline, raw["stage"], where, observed, release=self.release)
        return STAGE_PASSED, lambda image: details.compose(
            image=image, now=at, valid_for=raw["validFor"]
        )

    def _entered(self, raw: dict[str, Any], pipeline: str) -> tuple[str, Callable[[str], bytes]]:
        at = raw["at"] or self.now
        expires = at + raw["validFor"]
        of = self.release.digest if self.release else None
        claim = StageEntered(pipeline, raw["stage"], self._environment(raw), at, expires, of)
        return STAGE_ENTERED, lambda _: claim.compose(None, ())

    def _attestation(self, raw: dict[str, Any], _: str) -> tuple[str, Callable[[str], bytes]]:
        return raw["type"], lambda _: strictjson.dumps(raw["predicate"])

    def _approval(self, raw: dict[str, Any], pipeline: str) -> tuple[str, Callable[[str], bytes]]:
        at = raw["at"] or self.now
        of = self.release.digest if self.release else None
        claim = Approval(APPROVED, _scope(raw, pipeline), at, at + raw["validFor"], release=of)
        return APPROVAL, lambda _: claim.compose()

    def _break_glass(
        self, raw: dict[str, Any], pipeline: str
    ) -> tuple[str, Callable[[str], bytes]]:
        at = raw["at"] or self.now
        claim = BreakGlass(_scope(raw, pipeline), raw["reason"], at, at + raw["validFor"])
        return BREAK_GLASS, lambda _: claim.compose()

    def _environment(self, raw: dict[str, Any]) -> Environment:
        cluster = raw["cluster"]
        if cluster not in self.policy.clusters():
            hint = did_you_mean(cluster, self.policy.clusters())
            self.problems.add(raw["@"].member("cluster"), f"no stage names {cluster!r}", hint)
        return Environment(cluster, raw["uid"], raw["namespace"])

    def pipeline(self, raw: dict[str, Any]) -> str:
        """The one that was named, or the only one with that stage."""
        at, name, stage = raw["@"], raw["pipeline"], raw["stage"]
        named = [p for p in self.policy.pipelines if name in (None, p.name)]
        found = [p.name for p in named if stage in _stages(p)]
        if len(found) == 1:
            return found[0]
        if not named:
            hint = did_you_mean(name, [p.name for p in self.policy.pipelines])
            self.problems.add(at.member("pipeline"), f"no pipeline is called {name!r}", hint)
        elif not found:
            hint = did_you_mean(stage, {s for p in named for s in _stages(p)})
            self.problems.add(at.member("stage"), f"no stage is called {stage!r}", hint)
        else:
            message = f"{', '.join(found)} have a stage {stage!r}"
            self.problems.add(at, message, "write pipeline: NAME")
        return ""

    def key(self, raw: dict[str, Any]) -> Key | None:
        """
        Of the attestor or owner `by`: a key that counts in the claim's cluster, and is valid now.

        Where there is none such, another one of that signer: what it signs will not count.
        """
        by, at = raw["by"], raw["@"].member("by")
        keys = [k for a, k in self.policy.all_keys() if a.name == by] or [
            k for _, k in self.policy.all_keys() if k.owner == by
        ]
        if not keys:
            known = {name for a, k in self.policy.all_keys() for name in (a.name, k.owner)}
            hint = did_you_mean(by, known)
            self.problems.add(at, f"no attestor and no owner is called {by!r}", hint)
            return None
        cluster = raw.get("cluster")
        keys = [k for k in keys if cluster is None or k.counts_in(cluster)] or keys
        owners = sorted({key.owner for key in keys})
        if len(owners) > 1:
            self.problems.add(at, f"{by!r} has the keys of {', '.join(owners)}", "name the owner")
            return None
        return next((k for k in keys if k.valid_at(self.now, self.now)), keys[0])


def _scope(raw: dict[str, Any], pipeline: str) -> Scope:
    clusters, namespaces = raw["clusters"], raw["namespaces"]
    return Scope(
        pipeline,
        raw["stage"],
        None if clusters is None else frozenset(clusters),
        None if namespaces is None else frozenset(namespaces),
    )


def _stages(pipeline: Pipeline) -> set[str]:
    return {stage.name for stage in pipeline.stages}
