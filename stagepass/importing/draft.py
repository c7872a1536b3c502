"""
What a translation amounts to, as documents of ours.

A rule becomes a Pipeline where it is known what images it lets in and where, and a Baseline (a floor,
which lets nothing in) where it is not, or where its images go beyond what a pattern of ours can name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from stagepass.clock import format_time
from stagepass.importing.common import Node, Report, Untranslatable
from stagepass.importing.options import Options
from stagepass.importing.patterns import Images
from stagepass.importing.signers import Book, distinct, slug

SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of what `cosign sign` (v3) makes: that a key signed this image, and no more."""
NEVER = "false"
"""A condition that nothing meets: it stands where the source asks for what is not translated."""
_NOBODY = "not-translated"
_HEAD = {"apiVersion": "stagepass.dev/v1"}


@dataclass(frozen=True, slots=True)
class Need:
    """One attestation. Without signers it is nobody's to sign, whoever else signs in this set."""

    name: str
    signers: tuple[str, ...]
    predicate_type: str = SIGNATURE
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Images in places, and what they need. `clusters` None is every one; `at` is where it stood.

    `stage_clusters` are those where a Pipeline lets in, if they are others than where a floor lies.
    """

    name: str
    at: Node
    images: Images
    needs: tuple[Need, ...]
    namespaces: tuple[str, ...] = ("*",)
    clusters: tuple[str, ...] | None = None
    enforcement: str = "enforce"
    stage_clusters: tuple[str, ...] = ()


def never(error: Untranslatable, signers: tuple[str, ...] = ()) -> Need:
    """What stands for a part that could not be translated, so that it is not simply gone."""
    return Need(f"not-translated-line-{error.node.line}", signers, where=NEVER)


@dataclass(slots=True)
class Draft:
    """Everything that one run translates."""

    options: Options
    report: Report
    book: Book = field(default_factory=Book)
    rules: list[Rule] = field(default_factory=list)
    exempt: list[str] = field(default_factory=list)

    def documents(self) -> list[dict[str, Any]]:
        """The set, deterministic: attestors, floors, pipelines, defaults."""
        floors, pipelines = self._floors(), self._pipelines()
        used = self._used()
        attestors = self.book.document(used, self.options.roots)
        return [*([attestors] if attestors else []), *floors, *pipelines, self._defaults()]

    def yaml(self) -> str:
        """The documents as text."""
        return "---\n".join(_to_yaml(document) for document in self.documents())

    def files(self) -> dict[str, bytes]:
        """The policy, and the key and trust root files that it names, by path."""
        from_options = self.options.root_files(self.book.roots(self._used()))
        return {
            "policy.yaml": self.yaml().encode(),
            **self.book.files(self._used()),
            **from_options,
        }

    def _used(self) -> set[str]:
        return {name for rule in self.rules for need in rule.needs for name in self._signers(need)}

    def _signers(self, need: Need) -> tuple[str, ...]:
        return need.signers or self.book.names() or (_NOBODY,)

    def _placed(self, rule: Rule) -> Rule:
        """The rule in the places that the user named, where the source did not."""
        given = self.options
        return replace(
            rule,
            clusters=rule.stage_clusters or rule.clusters or given.clusters or None,
            namespaces=given.namespaces if rule.namespaces == ("*",) else rule.namespaces,
        )

    def _lets_in(self, rule: Rule) -> bool:
        placed = self._placed(rule)
        return bool(rule.images.within and placed.clusters and placed.namespaces)

    def _floors(self) -> list[dict[str, Any]]:
        names: list[str] = []
        floors = []
        for rule in self.rules:
            if self._lets_in(rule) and rule.images.exact:
                continue
            names.append(distinct(slug(rule.name), names))
            floors.append(self._floor(names[-1], rule))
        return floors

    def _floor(self, name: str, rule: Rule) -> dict[str, Any]:
        if rule.enforcement != "enforce":
            self.report.stricter(
                rule.at,
                f"it was not enforced ({rule.enforcement}), and a Baseline always is",
                "name the place (--cluster, --namespace) and images, for a Pipeline",
            )
        if not self._lets_in(rule):
            self.report.note(
                rule.at,
                "this asks for evidence and lets nothing in, since no place or image is known",
                "write a Pipeline, or give --cluster and --namespace (and --image for gba)",
            )
        covering = rule.images.covering
        return _HEAD | {
            "kind": "Baseline",
            "metadata": {"name": name},
            "images": ["**"] if covering is None else list(covering),
            "namespaces": list(rule.namespaces),
            **({"clusters": list(rule.clusters)} if rule.clusters else {}),
            "requires": self._requires(rule.needs),
        }

    def _pipelines(self) -> list[dict[str, Any]]:
        rules = [self._placed(rule) for rule in self.rules if self._lets_in(rule)]
        given = self.options.pipeline
        names: list[str] = []
        for rule in rules:
            name = slug(rule.name)
            if given:
                name = given if len(rules) == 1 else f"{given}-{name}"
            names.append(distinct(name, names))
        return [self._pipeline(name, rule) for name, rule in zip(names, rules, strict=True)]

    def _pipeline(self, name: str, rule: Rule) -> dict[str, Any]:
        stage = {
            "name": self.options.stage,
            "clusters": list(rule.clusters or ()),
            "namespaces": list(rule.namespaces),
            "requires": self._requires(rule.needs),
            "enforcement": rule.enforcement,
        }
        return _HEAD | {
            "kind": "Pipeline",
            "metadata": {"name": name},
            "images": list(rule.images.within),
            "stages": [stage],
        }

    def _requires(self, needs: Sequence[Need]) -> list[dict[str, Any]]:
        names: list[str] = []
        found: list[dict[str, Any]] = []
        for need in needs:
            names.append(distinct(need.name, names))
            entry = {
                "name": names[-1],
                "from": list(self._signers(need)),
                "predicateType": need.predicate_type,
            }
            found.append({"attestation": entry | ({"where": need.where} if need.where else {})})
        return found

    def _defaults(self) -> dict[str, Any]:
        given = self.options
        document: dict[str, Any] = _HEAD | {"kind": "Defaults", "unlisted": "deny"}
        if self.exempt and given.exempt_until is not None:
            document["exempt"] = [
                {
                    "namespaces": list(given.exempt_namespaces),
                    "images": list(dict.fromkeys(self.exempt)),
                    "allowTags": True,
                    "reason": given.exempt_reason,
                    "expires": format_time(given.exempt_until),
                }
            ]
        return document


def any_of(report: Report, at: Node, ways: Sequence[tuple[Need, ...]]) -> tuple[Need, ...]:
    """
    What asks for one of several ways, each of which asks for all its needs.

    Exact if every way is one need of the same type and condition, differing in who signs. Otherwise
    (A and B) or (C and D) has no form here, and all of it is asked for.
    """
    distinct_ways = list(dict.fromkeys(ways))
    first = distinct_ways[0]
    if len(distinct_ways) == 1:
        return first
    if all(len(way) == 1 and _alike(way[0], first[0]) for way in distinct_ways):
        signers = (name for way in distinct_ways for name in way[0].signers)
        return (replace(first[0], signers=tuple(dict.fromkeys(signers))),)
    report.stricter(
        at,
        "one of several ways was enough, and they ask for different things: all are asked for",
        "keep the requirements of one",
    )
    return tuple(dict.fromkeys(need for way in distinct_ways for need in way))


def _alike(one: Need, other: Need) -> bool:
    return bool(one.signers and other.signers) and (one.predicate_type, one.where) == (
        other.predicate_type,
        other.where,
    )


class _Dumper(yaml.SafeDumper):
    """Writes what the strict loader reads: no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Never an alias, also of a list that stands in two places."""
        return True


def _to_yaml(document: Mapping[str, Any]) -> str:
    text: str = yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        width=100,
        allow_unicode=True,
    )
    return text
