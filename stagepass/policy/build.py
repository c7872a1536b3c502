"""From what the files say to the model: names resolved, every unresolved one reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from stagepass.attestor import PublicKey
from stagepass.errors import InputError, did_you_mean
from stagepass.policy.attestors import Attestor, Key
from stagepass.policy.build_identities import Identities, TrustRoots
from stagepass.policy.build_release import build_release
from stagepass.policy.build_source import build_source
from stagepass.policy.model import (
    ApprovalRequirement,
    AttestationRequirement,
    Baseline,
    BreakGlassRule,
    Edge,
    Exemption,
    Pipeline,
    Stage,
)
from stagepass.policy.schema import EVERY_IMAGE, At, Problems
from stagepass.policy.windows import Window
from stagepass.predicates.members import APPROVAL, STAGE_PASSED

Document = dict[str, Any]
# Our own statements are dated by a member of their own; a foreign one needs `time` to have an age.
_OWN_TIMES = {STAGE_PASSED: ("timeVerified",), APPROVAL: ("timeApproved",)}


class Builder:
    """Builds the parts of a set; `attestors` must come first, since everything else names them."""

    def __init__(self, files: Mapping[str, bytes], problems: Problems) -> None:
        self._files, self._problems = files, problems
        self._firsts: dict[str, tuple[Key, At]] = {}
        self.attestors: dict[str, Attestor] = {}
        self.roots = TrustRoots()

    def read_attestors(self, documents: Iterable[Document]) -> None:
        """Every attestor of the set, with its keys and identities."""
        documents = tuple(documents)
        self.roots = TrustRoots.read(documents, self.file, self._problems)
        identities = Identities(self.roots, self._problems)
        for name, entry in ((n, e) for d in documents for n, e in d["attestors"].items()):
            if name in self.attestors:
                self._problems.add(entry["@"], f"the attestor {name!r} is defined twice")
            found = [("key", raw["@"].member("file"), self._key(raw)) for raw in entry["keys"]]
            found += [("identity", raw["@"], identities.build(raw)) for raw in entry["identities"]]
            keys: dict[str, Key] = {}
            for what, at, key in found:
                if key and key.public.id in keys:
                    self._problems.add(
                        at, f"the {what} stands twice in {name!r}", "write one entry"
                    )
                keys |= {key.public.id: key} if key else {}
            self.attestors[name] = Attestor(name, tuple(keys.values()))
        identities.check_owners()

    def pipeline(self, document: Document) -> Pipeline:
        """One pipeline; its order and places are the caller's to check."""
        stages = tuple(self._stage(raw) for raw in document["stages"])
        return Pipeline(document["metadata"]["name"], document["images"], stages)

    def baseline(self, document: Document) -> Baseline:
        """One floor. `**` beside other patterns would hide them, so it stands alone."""
        images = document["images"]
        every = EVERY_IMAGE in images
        if every and len(images) > 1:
            at = document["@"].member("images")
            self._problems.add(at, "'**' stands alone", "leave the others out")
        clusters = document["clusters"]
        requires, _ = self._requires(document["requires"])
        return Baseline(
            name=document["metadata"]["name"],
            images=None if every else images,
            namespaces=document["namespaces"],
            clusters=None if clusters is None else frozenset(clusters),
            requires=requires,
        )

    def exemption(self, raw: Document) -> Exemption:
        """One exemption."""
        return Exemption(
            raw["namespaces"], raw["images"], raw["allowTags"], raw["reason"], raw["expires"]
        )

    def file(self, at: At, name: str) -> bytes | None:
        """The content of a file named relative to the one that names it, or None with a problem."""
        path = PurePosixPath(at.file.partition(":")[0]).parent / name
        if path.is_absolute() or ".." in path.parts or str(path) not in self._files:
            hint = "a path below the policy file that names it, without '..'"
            self._problems.add(at, f"there is no file {name!r} beside {at.file}", hint)
            return None
        return self._files[str(path)]

    def check_attestors(self, names: Iterable[str | None], at: At) -> None:
        """Report those that nobody defines."""
        for index, name in enumerate(names):
            if name is not None and name not in self.attestors:
                hint = did_you_mean(name, self.attestors)
                self._problems.add(at.item(index), f"no attestor is called {name!r}", hint)

    def _key(self, raw: Document) -> Key | None:
        at: At = raw["@"]
        if raw["file"] is None or raw["owner"] is None:
            return None
        content = self.file(at.member("file"), raw["file"])
        if content is None:
            return None
        try:
            public = PublicKey.parse(content)
        except InputError as error:
            message = f"{raw['file']}: {error.message}"
            self._problems.add(at.member("file"), message, error.hint)
            return None
        clusters = None if raw["clusters"] is None else frozenset(raw["clusters"])
        roots = self.roots.named(raw, self._problems)
        key = Key(public, raw["owner"], clusters, raw["validFrom"], raw["validUntil"], roots)
        first, where = self._firsts.setdefault(public.id, (key, at))
        if first.owner != key.owner:
            self._problems.add(
                at.member("owner"),
                f"this key already belongs to {first.owner!r} ({where})",
                "a key has one owner in the whole set",
            )
        if first.roots != key.roots:
            self._problems.add(
                at.member("trustRoots") if key.roots else at,
                f"this key has other trustRoots than here already ({where})",
                "a key has the same trustRoots wherever it stands: they prove when it signed",
            )
        return key

    def _stage(self, raw: Document) -> Stage:
        self.check_attestors(raw["signedBy"], raw["@"].member("signedBy"))
        requires, approvals = self._requires(raw["requires"])
        if raw["release"] is not None:
            rule = raw["release"]
            self.check_attestors(rule["from"], rule["@"].member("from"))
        edges = (Edge(e["stage"], e["soak"], e["maxAge"], e["clusters"]) for e in raw["after"])
        return Stage(
            name=raw["name"],
            clusters=tuple(cluster["name"] for cluster in raw["clusters"]),
            namespaces=raw["namespaces"],
            signed_by=raw["signedBy"],
            after=tuple(edges),
            requires=requires,
            approvals=approvals,
            windows=tuple(w for entry in raw["windows"] if (w := self._window(entry))),
            break_glass=self._break_glass(raw["breakGlass"]),
            enforcement=raw["enforcement"],
            cluster_uids={c["name"]: c["uid"] for c in raw["clusters"] if c["uid"]},
            allow_shared=raw["allowShared"],
            source=build_source(raw["source"], self.file, self._problems),
            manifests=raw["manifests"],
            release=build_release(raw, self._problems),
        )

    def _requires(
        self, entries: Iterable[tuple[str, Document]]
    ) -> tuple[tuple[AttestationRequirement, ...], tuple[ApprovalRequirement, ...]]:
        attestations: list[AttestationRequirement] = []
        approvals: list[ApprovalRequirement] = []
        for kind, entry in entries:
            self.check_attestors(entry["from"], entry["@"].member("from"))
            if kind == "approval":
                approvals.append(self._approval(entry))
                continue
            if entry["name"] and entry["name"] in {need.name for need in attestations}:
                message = f"two requirements are called {entry['name']!r}"
                self._problems.add(entry["@"].member("name"), message)
            attestations.append(self._attestation(entry))
        return tuple(attestations), tuple(approvals)

    def _attestation(self, entry: Document) -> AttestationRequirement:
        time = entry["time"] or _OWN_TIMES.get(entry["predicateType"])
        if entry["maxAge"] is not None and time is None:
            self._problems.add(
                entry["@"].member("maxAge"),
                "nothing says how old a statement of this type is",
                "add time: predicate.MEMBER, the member that dates it",
            )
        return AttestationRequirement(
            name=entry["name"],
            signers=entry["from"],
            predicate_type=entry["predicateType"],
            where=entry["where"],
            time=time,
            max_age=entry["maxAge"],
        )

    def _approval(self, entry: Document) -> ApprovalRequirement:
        self.check_attestors(entry["notBy"], entry["@"].member("notBy"))
        return ApprovalRequirement(
            entry["from"], entry["threshold"], entry["notBy"], entry["maxAge"]
        )

    def _window(self, entry: Document) -> Window | None:
        if entry["deny"] is None or entry["timezone"] is None:
            return None
        try:
            return Window.parse(entry["deny"], entry["timezone"])
        except InputError as error:
            self._problems.add(entry["@"], error.message, error.hint)
            return None

    def _break_glass(self, raw: Document | None) -> BreakGlassRule | None:
        if raw is None:
            return None
        self.check_attestors(raw["from"], raw["@"].member("from"))
        return BreakGlassRule(raw["from"], raw["threshold"], raw["maxDuration"])
