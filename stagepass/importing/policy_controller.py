"""
Sigstore's policy-controller: ClusterImagePolicy.

Of several policies that match an image all must be met, as of pipelines and Baselines here. Of the
authorities of one policy one suffices, and of its attestations all are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stagepass.importing.common import Node, Untranslatable, kept
from stagepass.importing.draft import NEVER, SIGNATURE, Draft, Need, Rule, any_of, never
from stagepass.importing.identities import certified
from stagepass.importing.patterns import Images, of_policy_controller
from stagepass.importing.signers import PUBLIC_GOOD, Signer, pem_keys, root_of, slug

SHORT_TYPES = {
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}
"""cosign's names of predicate types."""
_SPEC = {"images", "authorities", "policy", "mode", "match"}
_AUTHORITY = {
    "name", "key", "keyless", "static", "source", "ctlog", "attestations", "rfc3161timestamp",
    "signatureFormat",
}  # fmt: skip


def translate(documents: Sequence[Node], draft: Draft) -> None:
    """Everything in `documents` into `draft`. Raises `InputError` for what is of another kind."""
    for document in documents:
        match document.says("kind"):
            case "ClusterImagePolicy":
                _Policy(document, draft).translate()
            case "TrustRoot":
                name = (document.get("metadata") or document).says("name")
                if name not in draft.options.roots:
                    draft.report.left_out(
                        Untranslatable(
                            document,
                            f"the trust root {name!r} is not converted",
                            "fetch it (stagepass trust update FILE --url MIRROR --root ROOT.json)"
                            f" and give --trust-root {name}=FILE",
                        )
                    )
            case kind:
                raise document.error(
                    f"is of the kind {kind!r}, not ClusterImagePolicy or TrustRoot"
                )
    _refuse_unmatched(draft)


def _refuse_unmatched(draft: Draft) -> None:
    """
    An image that no policy matches is refused there, unless its configuration says otherwise.

    Here it is refused as its place's strictest stage refuses: so in a place where all only warn, the
    first one is enforced.
    """
    rules = [rule for rule in draft.rules if rule.images.within]
    if not rules or any(rule.enforcement == "enforce" for rule in rules):
        return
    if not (draft.options.clusters and draft.options.namespaces):
        return
    draft.report.stricter(
        rules[0].at,
        "policy-controller refuses an image that no policy matches, and no stage here would: this one"
        " is enforced",
        "set enforcement: warn, if unmatched images may run",
    )
    draft.rules[draft.rules.index(rules[0])] = replace(rules[0], enforcement="enforce")


class _Policy:
    """One ClusterImagePolicy."""

    def __init__(self, document: Node, draft: Draft) -> None:
        self._document, self._draft, self._report = document, draft, draft.report
        self._name = (document.get("metadata") or document).says("name")

    def translate(self) -> None:
        """The rule, whatever became of its parts: what could not be said is met by nothing."""
        spec = self._document.get("spec")
        if spec is None:
            raise self._document.error("has no spec")
        images = self._images(spec)
        try:
            self._report.only(spec, _SPEC)
            needs = self._needs(spec)
        except Untranslatable as error:
            self._report.left_out(error)
            needs = (never(error),)
        self._draft.rules.append(
            Rule(self._name, spec, images, needs, enforcement=self._enforcement(spec))
        )

    def _images(self, spec: Node) -> Images:
        found = []
        for entry in spec.each("images"):
            glob = entry.get("glob") or entry
            images = of_policy_controller(glob.text())
            if not images.exact:
                self._report.stricter(
                    glob,
                    "our patterns name repositories, by a literal host: this asks of more images"
                    " than it did, and lets in fewer",
                    "write the repositories: HOST/PATH/NAME* or HOST/PATH/**",
                )
            found.append(images)
        return Images.any_of(found) if found else Images((), None)

    def _enforcement(self, spec: Node) -> str:
        mode = spec.get("mode")
        if mode is not None and mode.value == "warn":
            return "warn"
        return "enforce"

    def _needs(self, spec: Node) -> tuple[Need, ...]:
        if (match := spec.get("match")) is not None:
            self._report.stricter(
                match,
                "no resource is told from others, nor by its labels: every one that runs images"
                " is judged",
                "give what is to be spared a namespace of its own",
            )
        ways = list(kept(self._report, spec.each("authorities"), self._authority))
        found = [way for way in ways if way]
        if not found:
            raise Untranslatable(
                spec.get("authorities") or spec,
                "no authority of this policy could be translated",
                "name somebody who signs, in place of what nothing meets",
            )
        needs = any_of(self._report, spec.get("authorities") or spec, found)
        if (policy := spec.get("policy")) is not None:
            error = Untranslatable(
                policy,
                "a policy over the results of all authorities has no counterpart",
                "write where: (CEL) for each attestation, in place of what nothing meets",
            )
            self._report.left_out(error)
            needs = (*needs, never(error))
        return needs

    def _authority(self, node: Node) -> tuple[Need, ...]:
        """What it asks for; () for one that fails everything, and so is no way in."""
        report = self._report
        report.only(node, _AUTHORITY)
        if (static := node.get("static")) is not None:
            if static.says("action") == "fail":
                report.note(
                    static, "this lets nothing in", "left out: there is no other way in either"
                )
                return ()
            raise Untranslatable(
                static, "this lets in what nobody signed", "write an exempt entry into Defaults"
            )
        name = slug(f"{self._name}-{node.says('name') or 'authority'}")
        signer = self._keyed(node) if node.get("key") is not None else self._keyless(node)
        if (source := node.get("source")) is not None:
            report.note(
                source,
                "evidence is looked for beside the image, and in --evidence",
                "copy it there: stagepass evidence copy",
            )
        self._format(node)
        attestor = self._draft.book.add(name, signer)
        attestations = node.each("attestations")
        if not attestations:
            return (Need("signature", (attestor,)),)
        return tuple(self._attestation(entry, attestor) for entry in attestations)

    def _format(self, node: Node) -> None:
        if node.says("signatureFormat", "legacy") == "legacy" and not node.each("attestations"):
            self._report.note(
                node,
                "signatures of cosign before version 3 (simple signing, in .sig tags) are not read",
                f"sign with cosign 3: bundles of the type {SIGNATURE}",
            )
        if (stamp := node.get("rfc3161timestamp")) is not None:
            self._report.without(stamp, "timestamp", "a time stamp is not asked for")

    def _keyed(self, node: Node) -> Signer:
        key = node.get("key") or node
        for name in ("kms", "secretRef"):
            if (elsewhere := key.get(name)) is not None:
                raise Untranslatable(
                    elsewhere,
                    "the key is not in the policy",
                    "put the public key itself into key.data (cosign public-key --key REF)",
                )
        self._report.only(key, {"data", "hashAlgorithm"})
        log = node.get("ctlog")
        if log is not None and log.items():
            self._report.without(
                log, "transparency-log", "a log entry of a key's signature is not asked for"
            )
        if key.says("hashAlgorithm", "sha256").lower() != "sha256":
            raise Untranslatable(
                key.get("hashAlgorithm") or key,
                "the hash goes with the key: SHA-256 for P-256 and RSA",
                "sign with cosign's defaults",
            )
        data = key.get("data")
        keys = pem_keys(data) if data is not None else []
        if data is None or len(keys) != 1:
            raise Untranslatable(
                key, f"{len(keys)} keys stand here", "an authority with one key is read"
            )
        return Signer(keys=tuple(keys))

    def _keyless(self, node: Node) -> Signer:
        keyless = node.get("keyless")
        if keyless is None:
            raise Untranslatable(node, "neither key, keyless nor static", "name who signs")
        self._report.only(keyless, {"url", "identities", "trustRootRef", "insecureIgnoreSCT"})
        if node.get("ctlog") is None:
            self._report.stricter(
                node,
                "no log was asked for, and a certificate counts here with a log entry alone",
                "sign with a log",
            )
        if (named := keyless.get("trustRootRef")) is not None and named.value == PUBLIC_GOOD:
            raise Untranslatable(
                named,
                "this is what Sigstore's public root is called here",
                "call yours something else",
            )
        url = keyless.says("url")
        root = keyless.says("trustRootRef") or (root_of(url) if url else PUBLIC_GOOD)
        return certified(keyless, root, self._draft)

    def _attestation(self, node: Node, attestor: str) -> Need:
        self._report.only(node, {"name", "predicateType", "policy"})
        written = node.says("predicateType")
        predicate_type = SHORT_TYPES.get(written, written)
        if not written:
            raise Untranslatable(node, "no predicateType", "write the type")
        policy = node.get("policy")
        if policy is not None:
            self._report.left_out(
                Untranslatable(
                    policy,
                    f"a {policy.says('type')} policy is not translated",
                    f"write it in CEL, in place of where: '{NEVER}', which nothing meets",
                )
            )
        where = NEVER if policy is not None else None
        return Need(slug(node.says("name") or "attestation"), (attestor,), predicate_type, where)
