"""
Google Binary Authorization: the policy and the attestors that `gcloud container binauthz` prints.

Of its rules the most specific one holds, and the others do not; here all that apply must be met. So
where a narrower rule asked for less, the wider one is a stricter translation, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stagepass.errors import InputError
from stagepass.importing.common import Node, Report, Untranslatable, kept
from stagepass.importing.draft import SIGNATURE, Draft, Need, Rule, never
from stagepass.importing.patterns import EVERY, Images, of_whitelist
from stagepass.importing.signers import Signer, pem_keys, slug

_POLICY = {
    "name", "description", "etag", "updateTime", "globalPolicyEvaluationMode", "admissionWhitelistPatterns",
    "defaultAdmissionRule", "clusterAdmissionRules", "kubernetesNamespaceAdmissionRules",
    "kubernetesServiceAccountAdmissionRules", "istioServiceIdentityAdmissionRules", "kind", "apiVersion",
}  # fmt: skip
# Keys of other algorithms sign what is no signature here: PSS, PKCS #1 with SHA-512, other curves.
_ALGORITHMS = {
    "ECDSA_P256_SHA256", "EC_SIGN_P256_SHA256", "ECDSA_P384_SHA384", "EC_SIGN_P384_SHA384",
    "ECDSA_P521_SHA512", "EC_SIGN_P521_SHA512", "RSA_SIGN_PKCS1_2048_SHA256",
    "RSA_SIGN_PKCS1_3072_SHA256", "RSA_SIGN_PKCS1_4096_SHA256",
}  # fmt: skip
_ENFORCED = {"ENFORCED_BLOCK_AND_AUDIT_LOG": "enforce", "DRYRUN_AUDIT_LOG_ONLY": "audit"}
_BY_NAMESPACE = "kubernetesNamespaceAdmissionRules"


def translate(documents: Sequence[Node], draft: Draft) -> None:
    """Everything in `documents` into `draft`. Raises `InputError` where there is no policy in them."""
    attestors: dict[str, str] = {}
    policies = [d for d in documents if d.get("defaultAdmissionRule") is not None]
    for document in documents:
        if document.get("userOwnedGrafeasNote") is not None:
            try:
                attestors[document.says("name")] = _attestor(document, draft)
            except Untranslatable as error:
                draft.report.left_out(error)
        elif document not in policies:
            raise document.error("is neither a policy nor an attestor of Binary Authorization")
    if not policies:
        files = ", ".join(dict.fromkeys(document.file for document in documents))
        raise InputError(
            "no policy of Binary Authorization is among these",
            where=files,
            hint="give what prints: gcloud container binauthz policy export",
        )
    if len(policies) > 1:
        raise policies[1].error("is a second policy; give one")
    _Policy(policies[0], draft, attestors).translate()


def _attestor(document: Node, draft: Draft) -> str:
    report = draft.report
    report.only(document, {"name", "description", "updateTime", "etag", "userOwnedGrafeasNote"})
    note = document.get("userOwnedGrafeasNote") or document
    found = list(kept(report, note.each("publicKeys"), _key))
    if not found:
        raise Untranslatable(
            note,
            "no key of this attestor can be used",
            "give it a key that can, and name it by hand",
        )
    keys = tuple(dict.fromkeys(found))
    return draft.book.add(document.says("name"), Signer(keys=keys))


def _key(node: Node) -> str:
    if (pgp := node.get("asciiArmoredPgpPublicKey")) is not None:
        raise Untranslatable(
            pgp, "PGP signatures are not read", "sign with a key of: stagepass keys generate"
        )
    pkix = node.get("pkixPublicKey")
    if pkix is None:
        raise Untranslatable(node, "this is no key", "pkixPublicKey is read")
    algorithm = pkix.says("signatureAlgorithm")
    if algorithm not in _ALGORITHMS:
        raise Untranslatable(
            pkix,
            f"signatures by {algorithm or 'an unnamed algorithm'} are not read",
            f"sign with one of {', '.join(sorted(_ALGORITHMS))}",
        )
    pem = pkix.get("publicKeyPem")
    keys = [] if pem is None else pem_keys(pem)
    if len(keys) != 1:
        raise Untranslatable(pkix, f"{len(keys)} keys stand here", "write one")
    return keys[0]


class _Policy:
    """One policy, with the attestors whose files were given: full name → name here."""

    def __init__(self, node: Node, draft: Draft, attestors: dict[str, str]) -> None:
        self._node, self._draft, self._attestors = node, draft, attestors
        self._report: Report = draft.report
        self._images = (
            Images(draft.options.images, draft.options.images) if draft.options.images else EVERY
        )
        rules = node.get("clusterAdmissionRules")
        self._clusters = tuple(name for name, _ in rules.items()) if rules is not None else ()

    def translate(self) -> None:
        """All rules, then what they spare."""
        try:
            self._report.only(self._node, _POLICY)
        except Untranslatable as error:
            self._report.left_out(error)
            floor = replace(self._images, within=())
            self._draft.rules.append(Rule("unknown-field", error.node, floor, (never(error),)))
        self._default()
        for name, rule in self._rules("clusterAdmissionRules"):
            self._rule(name, rule, clusters=(name,))
        for name, rule in self._rules(_BY_NAMESPACE):
            self._rule(f"namespace-{name}", rule, namespaces=(name,))
        for name, rule in self._rules("kubernetesServiceAccountAdmissionRules"):
            self._narrower(name, rule, name.partition(":")[0])
        for name, rule in self._rules("istioServiceIdentityAdmissionRules"):
            parts = name.split("/")
            at = parts.index("ns") if "ns" in parts[:-1] else -1
            self._narrower(name, rule, parts[at + 1] if at >= 0 else "*")
        self._spared()

    def _rules(self, name: str) -> list[tuple[str, Node]]:
        rules = self._node.get(name)
        return [] if rules is None else rules.items()

    def _default(self) -> None:
        rule = self._node.get("defaultAdmissionRule") or self._node
        if rule.says("evaluationMode") == "ALWAYS_DENY":
            return  # As here, where no pipeline says otherwise.
        narrower = any(
            self._rules(f"{kind}AdmissionRules")
            for kind in (
                "cluster",
                "kubernetesNamespace",
                "kubernetesServiceAccount",
                "istioServiceIdentity",
            )
        )
        if narrower and rule.says("evaluationMode") == "REQUIRE_ATTESTATION":
            self._report.stricter(
                rule,
                "a narrower rule took its place; here both must be met where both apply",
                "name with --cluster the clusters that have no rule of their own",
            )
        clusters = self._draft.options.clusters if self._clusters else ()
        self._rule("default", rule, clusters=clusters or None)

    def _narrower(self, name: str, rule: Node, namespace: str) -> None:
        self._report.stricter(
            rule,
            "a place is a cluster and a namespace here, not a service account",
            f"this holds for all of namespace {namespace!r}; give the account one of its own",
        )
        # The other accounts there are under the rules of namespace and cluster as before.
        flat = slug(name.replace(":", "-").replace("/", "-"))
        self._rule(flat, rule, namespaces=(namespace,), floor=True)

    def _rule(
        self,
        name: str,
        rule: Node,
        clusters: tuple[str, ...] | None = None,
        namespaces: tuple[str, ...] = ("*",),
        *,
        floor: bool = False,
    ) -> None:
        enforcement = "enforce"
        try:
            self._report.only(rule, {"evaluationMode", "enforcementMode", "requireAttestationsBy"})
            needs = self._needs(rule)
            enforcement = self._enforcement(rule)
        except Untranslatable as error:
            self._report.left_out(error)
            if error.node.value == "ALWAYS_ALLOW":
                return
            needs = (never(error),)
        images = replace(self._images, within=()) if floor else self._images
        # In its namespace a rule takes the place of those of the clusters: it alone lets in there.
        known = dict.fromkeys((*self._draft.options.clusters, *self._clusters))
        in_stages = () if namespaces == ("*",) else tuple(known)
        self._draft.rules.append(
            Rule(name, rule, images, needs, namespaces, clusters, enforcement, in_stages)
        )

    def _enforcement(self, rule: Node) -> str:
        mode = rule.get("enforcementMode")
        if mode is None or mode.text() not in _ENFORCED:
            raise Untranslatable(
                mode or rule, "this is no enforcement mode", f"one of {', '.join(_ENFORCED)}"
            )
        return _ENFORCED[mode.text()]

    def _needs(self, rule: Node) -> tuple[Need, ...]:
        mode = rule.get("evaluationMode") or rule
        match mode.value:
            case "ALWAYS_DENY":
                return (Need(f"always-deny-line-{mode.line}", (), where="false"),)
            case "ALWAYS_ALLOW":
                raise Untranslatable(
                    mode,
                    "nothing is let in here without evidence",
                    "write 'unlisted: warn' or 'audit', or an exempt entry, into Defaults",
                )
            case "REQUIRE_ATTESTATION":
                found = tuple(map(self._need, rule.each("requireAttestationsBy")))
                if found:
                    return found
        raise Untranslatable(mode, "this asks for nothing that is known", "name who must sign")

    def _need(self, node: Node) -> Need:
        full = node.text()
        predicate_type = self._draft.options.predicate_type or SIGNATURE
        self._report.note(
            node,
            "Google's attestations (a signed payload in Container Analysis) are not read",
            f"sign anew with the same key: a statement of the type {predicate_type}",
        )
        if full not in self._attestors:
            self._report.left_out(
                Untranslatable(
                    node,
                    "nothing says which keys this attestor has, and the set does not load without",
                    f"give its file too: gcloud container binauthz attestors describe {slug(full)}",
                )
            )
        return Need(
            slug(full), (self._attestors.get(full, f"{slug(full)}-missing"),), predicate_type
        )

    def _spared(self) -> None:
        mode = self._node.get("globalPolicyEvaluationMode")
        if mode is not None and mode.value == "ENABLE":
            self._report.left_out(
                Untranslatable(
                    mode,
                    "Google's list of its own system images is not known here",
                    "write exempt entries of Defaults for kube-system and the like",
                )
            )
        for pattern in self._node.each("admissionWhitelistPatterns"):
            text = pattern.get("namePattern") or pattern
            found = of_whitelist(text.text())
            if not self._draft.options.may_exempt:
                why, hint = (
                    "an exemption needs namespaces, a reason and an end",
                    "give --exempt-namespace, --exempt-reason and --exempt-until",
                )
            elif not found:
                why, hint = (
                    "no pattern of ours matches exactly this",
                    "write an exempt entry: HOST/PATH/NAME* or HOST/PATH/**",
                )
            else:
                self._draft.exempt += found
                continue
            self._report.left_out(Untranslatable(text, why, hint))
