"""
Kyverno's ImageValidatingPolicy: attestors and attestations by name, and CEL that puts them together.

Of the CEL, one shape is read, with `&&` between several of them: every image has more than nothing
(or as many as are listed) of what `verifyImageSignatures` or `verifyAttestationSignatures` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stagepass.importing.common import Node, Untranslatable
from stagepass.importing.draft import SIGNATURE, Draft, Need, Rule, any_of, never
from stagepass.importing.identities import certified
from stagepass.importing.patterns import Images, is_plain_prefix, of_kyverno
from stagepass.importing.signers import PUBLIC_GOOD, Signer, pem_keys, slug

_SPEC = {
    "matchConstraints", "matchConditions", "images", "matchImageReferences", "credentials", "evaluation",
    "webhookConfiguration", "validationConfigurations", "attestors", "attestations", "validations",
    "validationActions", "failurePolicy", "auditAnnotations", "autogen", "background",
}  # fmt: skip
_SHAPE = re.compile(
    r"images\.(?:containers|initContainers|ephemeralContainers)\.map\((?P<image>\w+),"
    r"verify(?P<what>Image|Attestation)Signatures\((?P=image),"
    r"(?:attestations\.(?P<attestation>\w+),)?\[(?P<attestors>attestors\.\w+(?:,attestors\.\w+)*)\]\)\)"
    r"\.all\((?P<count>\w+),(?P=count)(?P<compared>>|>=|==)(?P<number>\d{1,9})\)",
    re.ASCII,
)
_ACTIONS = {"deny": "enforce", "warn": "warn", "audit": "audit"}


def translate_image_policy(document: Node, draft: Draft) -> None:
    """One policy into `draft`."""
    _ImagePolicy(document, draft).translate()


class _ImagePolicy:
    def __init__(self, document: Node, draft: Draft) -> None:
        self._draft, self._report = draft, draft.report
        metadata = document.get("metadata") or document
        self._name, self._spec = metadata.says("name"), document.get("spec") or document
        namespaced = document.says("kind").startswith("Namespaced")
        self._namespaces = (metadata.says("namespace", "default"),) if namespaced else ("*",)
        self._attestors = {node.says("name"): node for node in self._spec.each("attestors")}
        self._attestations = {node.says("name"): node for node in self._spec.each("attestations")}

    def translate(self) -> None:
        spec = self._spec
        needs: list[Need] = []
        try:
            self._report.only(spec, _SPEC)
        except Untranslatable as error:
            self._report.left_out(error)
            needs.append(never(error))
        for node in spec.each("validations"):
            try:
                needs += self._needs(node)
            except Untranslatable as error:
                self._report.left_out(error)
                needs.append(never(error))
        if not needs:
            nothing = Untranslatable(spec, "there are no validations", "name who signs")
            self._report.left_out(nothing)
            needs.append(never(nothing))
        self._narrowed()
        enforcement = self._enforcement()
        found = tuple(dict.fromkeys(needs))
        rule = Rule(self._name, spec, self._images(), found, self._namespaces, None, enforcement)
        self._draft.rules.append(rule)

    def _needs(self, node: Node) -> Iterator[Need]:
        """What one validation asks for."""
        expression = node.get("expression") or node
        for part in "".join(expression.text().split()).split("&&"):
            match = _SHAPE.fullmatch(part)
            if match is None or (match["what"] == "Attestation") != bool(match["attestation"]):
                raise Untranslatable(
                    expression,
                    "this CEL is not of the one shape that is translated",
                    "write attestation requirements with where: (CEL on the predicate)",
                )
            name, predicate_type = "signature", SIGNATURE
            if match["attestation"]:
                name = slug(match["attestation"])
                predicate_type = self._type(match["attestation"], expression)
            listed = [text.removeprefix("attestors.") for text in match["attestors"].split(",")]
            known = {each: self._attestor(each, expression) for each in dict.fromkeys(listed)}
            ways = [(Need(name, (known[each],), predicate_type),) for each in listed]
            wanted = int(match["number"]) + (match["compared"] == ">")
            if match["compared"] == "==" and wanted < len(ways):
                raise Untranslatable(
                    expression,
                    "an image that more have signed is refused there: evidence never takes away here",
                    "write >= in its place",
                )
            yield from self._counted(expression, ways, wanted)

    def _counted(self, at: Node, ways: Sequence[tuple[Need, ...]], wanted: int) -> Iterator[Need]:
        """Of as many as are listed: who stands there twice counts twice."""
        if wanted == 0:
            raise Untranslatable(at, "this asks for nothing", "take it out")
        if wanted > len(ways):
            message = f"{wanted} are asked for and {len(ways)} listed: this is never so"
            raise Untranslatable(at, message, "ask for as many as sign")
        if wanted == 1:
            yield from any_of(self._report, at, ways)
            return
        if wanted != len(ways):
            self._report.stricter(at, "all of the attestors are asked for", "take out some")
        yield from (need for way in ways for need in way)

    def _type(self, name: str, at: Node) -> str:
        node = self._attestations.get(name)
        intoto = None if node is None else node.get("intoto")
        if intoto is None:
            raise Untranslatable(node or at, f"{name} is no in-toto attestation", "write its type")
        return intoto.says("type")

    def _attestor(self, name: str, at: Node) -> str:
        node = self._attestors.get(name)
        cosign = None if node is None else node.get("cosign")
        if cosign is None:
            raise Untranslatable(node or at, f"{name} does not sign with cosign", "name who does")
        self._report.only(cosign, {"key", "keyless", "ctlog", "source"})
        signer = self._keyed(cosign) if cosign.get("key") is not None else self._keyless(cosign)
        return self._draft.book.add(f"{self._name}-{name}", signer)

    def _keyed(self, cosign: Node) -> Signer:
        key, log = cosign.get("key") or cosign, cosign.get("ctlog")
        self._report.only(key, {"data", "hashAlgorithm"})
        if key.says("hashAlgorithm", "sha256").lower() != "sha256":
            raise Untranslatable(key, "the hash goes with the key", "sign with cosign's defaults")
        if log is None or not log.flag("insecureIgnoreTlog", default=False):
            self._report.without(
                log or key, "transparency-log", "a log entry of a key's signature is not asked for"
            )
        if log is not None and log.get("tsaCertChain") is not None:
            self._report.without(log, "timestamp", "a time stamp is not asked for")
        data = key.get("data")
        keys = [] if data is None else pem_keys(data)
        if len(keys) != 1:
            raise Untranslatable(key, f"{len(keys)} keys stand here", "write one")
        return Signer(keys=tuple(keys))

    def _keyless(self, cosign: Node) -> Signer:
        keyless = cosign.get("keyless")
        if keyless is None:
            raise Untranslatable(cosign, "neither key nor keyless", "name who signs")
        self._report.only(keyless, {"identities"})
        if (log := cosign.get("ctlog")) is not None:
            self._report.only(log, {"url", "insecureIgnoreTlog", "insecureIgnoreSCT"})
            if (
                log.says("url", "https://rekor.sigstore.dev").rstrip("/")
                != "https://rekor.sigstore.dev"
            ):
                raise Untranslatable(log, "a log of your own", "name its trust root: trustRoots")
        return certified(keyless, PUBLIC_GOOD, self._draft)

    def _narrowed(self) -> None:
        for name in ("matchConstraints", "matchConditions"):
            if (node := self._spec.get(name)) is not None and node.value:
                self._report.stricter(
                    node,
                    "this holds for whatever runs images, whatever else it is",
                    "give what is to be spared a namespace of its own",
                )
        if (images := self._spec.get("images")) is not None:
            self._report.left_out(
                Untranslatable(
                    images,
                    "images of other kinds of objects are known by paths here",
                    "write a CustomResources document",
                )
            )

    def _images(self) -> Images:
        found = []
        for node in self._spec.each("matchImageReferences"):
            glob = node.get("glob")
            if glob is None or not is_plain_prefix(glob.text()):
                self._report.stricter(
                    node,
                    "our patterns name repositories, by a literal host: this asks of more images",
                    "write HOST/PATH/** or HOST/PATH/NAME*",
                )
            found.append(Images((), None) if glob is None else of_kyverno(glob.text()))
        return Images.any_of(found) if found else Images((), None)

    def _enforcement(self) -> str:
        actions = [str(node.value).lower() for node in self._spec.each("validationActions")]
        known = [action for action in _ACTIONS if action in actions]
        return _ACTIONS[known[0]] if known else "enforce"
