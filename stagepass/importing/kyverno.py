"""
Kyverno: `verifyImages` rules of ClusterPolicy and Policy. ImageValidatingPolicy: see `kyverno_cel`.

Of several rules about an image all must be met, as of pipelines and Baselines here. Kyverno asks
nothing of an image that no rule matches; here nothing lets such an image in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stagepass.importing.common import Node, Untranslatable
from stagepass.importing.conditions import to_cel
from stagepass.importing.draft import NEVER, SIGNATURE, Draft, Need, Rule, any_of, never
from stagepass.importing.kyverno_attestors import Entries
from stagepass.importing.kyverno_cel import translate_image_policy
from stagepass.importing.kyverno_match import namespaces_of
from stagepass.importing.patterns import Images, is_plain_prefix, of_kyverno
from stagepass.importing.signers import slug

_VERIFY = {
    "image", "imageReferences", "skipImageReferences", "attestors", "attestations", "required",
    "mutateDigest", "verifyDigest", "failureAction", "type", "useCache", "repository",
    "imageRegistryCredentials", "validate", "cosignOCI11",
}  # fmt: skip


def translate(documents: Sequence[Node], draft: Draft) -> None:
    """Everything in `documents` into `draft`. Raises `InputError` for what is of another kind."""
    for document in documents:
        match document.says("kind"):
            case "ClusterPolicy" | "Policy":
                _Policy(document, draft).translate()
            case "ImageValidatingPolicy" | "NamespacedImageValidatingPolicy":
                translate_image_policy(document, draft)
            case kind:
                raise document.error(f"is of the kind {kind!r}, which verifies no images")


class _Policy:
    """One ClusterPolicy or Policy; of its rules, those that verify images."""

    def __init__(self, document: Node, draft: Draft) -> None:
        self._draft, self._report = draft, draft.report
        metadata = document.get("metadata") or document
        self._name = metadata.says("name")
        self._spec = document.get("spec") or document
        in_one = document.says("kind") == "Policy"
        self._namespace = metadata.says("namespace", "default") if in_one else None

    def translate(self) -> None:
        """Each entry of each rule's `verifyImages`; other rules are listed."""
        rules = self._spec.each("rules")
        if not rules:
            self._report.left_out(
                Untranslatable(self._spec, "there are no rules", "take the policy out")
            )
        for rule in rules:
            entries = rule.each("verifyImages")
            if not entries:
                self._report.left_out(
                    Untranslatable(rule, "this rule verifies no image", "keep it in Kyverno")
                )
            for index, entry in enumerate(entries):
                name = f"{self._name}-{rule.says('name')}"
                self._verify(rule, entry, name if len(entries) == 1 else f"{name}-{index + 1}")

    def _verify(self, rule: Node, entry: Node, name: str) -> None:
        given = self._namespace
        namespaces = namespaces_of(rule, self._report) if given is None else (given,)
        self._narrowed(rule, entry)
        try:
            self._report.only(entry, _VERIFY)
            needs = self._needs(entry, slug(name))
        except Untranslatable as error:
            self._report.left_out(error)
            needs = (never(error),)
        images = self._images(entry)
        enforcement = self._enforcement(entry)
        self._draft.rules.append(
            Rule(name, entry, images, needs, namespaces, enforcement=enforcement)
        )

    def _narrowed(self, rule: Node, entry: Node) -> None:
        """What spares something in Kyverno, and spares nothing here."""
        for node in (
            rule.get("exclude"),
            rule.get("preconditions"),
            rule.get("celPreconditions"),
            entry.get("skipImageReferences"),
        ):
            if node is not None and node.value:
                self._report.stricter(
                    node,
                    "nothing is spared here",
                    "write an exempt entry into Defaults, if need be",
                )
        for name in ("required", "verifyDigest"):
            if not entry.flag(name, default=True):
                at = entry.get(name) or entry
                self._report.stricter(
                    at, "evidence and a digest are always asked for", "pin the image"
                )
        if entry.flag("mutateDigest", default=True):
            self._report.note(
                entry,
                "tags are not turned into digests here, they are refused",
                "write digests: stagepass pin IMAGE:TAG",
            )

    def _images(self, entry: Node) -> Images:
        plain = entry.get("image")
        found = []
        for node in (*([plain] if plain is not None else []), *entry.each("imageReferences")):
            if not is_plain_prefix(node.text()):
                self._report.stricter(
                    node,
                    "our patterns name repositories, by a literal host: this asks of more images",
                    "write HOST/PATH/** or HOST/PATH/NAME*",
                )
            found.append(of_kyverno(node.text()))
        return Images.any_of(found) if found else Images((), None)

    def _enforcement(self, entry: Node) -> str:
        overrides = self._spec.get("validationFailureActionOverrides")
        if overrides is not None:
            self._report.stricter(overrides, "one action holds in all places", "this is enforced")
            return "enforce"
        action = entry.says("failureAction") or self._spec.says("validationFailureAction", "Audit")
        return "audit" if action.lower() == "audit" else "enforce"

    def _needs(self, entry: Node, name: str) -> tuple[Need, ...]:
        if (kind := entry.get("type")) is not None and kind.value not in (
            "Cosign",
            "SigstoreBundle",
        ):
            raise Untranslatable(
                kind, f"signatures of {kind.value} are not read", "sign with cosign 3"
            )
        if (validate := entry.get("validate")) is not None:
            raise Untranslatable(validate, "this condition is not translated", "write where: (CEL)")
        if (repository := entry.get("repository")) is not None:
            self._report.note(
                repository,
                "evidence is looked for beside the image, and in --evidence",
                "copy it there: stagepass evidence copy",
            )
        if (attestors := entry.get("attestors")) is not None:
            self._report.note(
                attestors,
                "signatures of cosign before version 3 (simple signing, in .sig tags) are not read",
                f"sign with cosign 3: bundles of the type {SIGNATURE}",
            )
        entries = Entries(self._draft, name)
        needs = [need for group in entry.each("attestors") for need in self._group(group, entries)]
        for attestation in entry.each("attestations"):
            needs += self._attestation(attestation, entries)
        if not needs:
            raise Untranslatable(entry, "this asks for nothing that is known", "name who signs")
        return tuple(dict.fromkeys(needs))

    def _group(self, group: Node, entries: Entries) -> Iterator[Need]:
        """An attestor set: all its entries, or `count` of them."""
        self._report.only(group, {"count", "entries"})
        ways = [(Need("signature", (name,)),) for name in entries.attestors(group)]
        count = group.get("count")
        wanted = len(ways) if count is None or count.value == 0 else count.value
        if not ways or (entries.lost(group) and wanted != 1):
            raise Untranslatable(
                group,
                "not all of the attestors that are asked for have a form here",
                "name who signs, in place of what nothing meets",
            )
        if not isinstance(wanted, int) or wanted > len(ways):
            message = f"{wanted} of {len(ways)} attestors are asked for"
            raise Untranslatable(count or group, message, "ask for as many as are listed")
        if wanted == 1:
            yield from any_of(self._report, group, ways)
            return
        if wanted != len(ways):
            self._report.stricter(
                count or group,
                "some of several are no number of attestations here: all are asked for",
                "take out those that need not sign",
            )
        yield from (need for way in ways for need in way)

    def _attestation(self, node: Node, entries: Entries) -> list[Need]:
        self._report.only(node, {"name", "type", "predicateType", "attestors", "conditions"})
        predicate_type = node.says("type") or node.says("predicateType")
        groups = node.each("attestors")
        if not groups or not predicate_type:
            raise Untranslatable(node, "it says not who signs, or what", "write attestors and type")
        where = self._where(node)
        name = slug(node.says("name") or predicate_type.rpartition("://")[2].replace("/", "-"))
        found = [need for group in groups for need in self._group(group, entries)]
        return [replace(n, name=name, predicate_type=predicate_type, where=where) for n in found]

    def _where(self, node: Node) -> str | None:
        conditions = node.each("conditions")
        if not conditions:
            return None
        try:
            self._report.without(
                conditions[0],
                "every-statement",
                "Kyverno wants every statement of the type to meet this, and here one is enough",
            )
            return to_cel(conditions) or None
        except Untranslatable as error:
            self._report.left_out(error)
            return NEVER
