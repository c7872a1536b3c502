"""The entries of Kyverno's attestor sets: keys, keyless signers, and what has no form here."""

from __future__ import annotations

from stagepass.importing.common import Node, Untranslatable
from stagepass.importing.draft import Draft
from stagepass.importing.identities import wants_root
from stagepass.importing.signers import PUBLIC_GOOD, Identity, Signer, pem_keys
from stagepass.importing.subjects import of_wildcard

_PUBLIC_LOG = "https://rekor.sigstore.dev"


class Entries:
    """The entries of one rule. Each becomes an attestor; several keys of one entry are several."""

    def __init__(self, draft: Draft, name: str) -> None:
        self._draft, self._report, self._name = draft, draft.report, name
        self._lost: set[str] = set()

    def attestors(self, group: Node) -> list[str]:
        """The names of those that could be translated; the others are listed."""
        found: list[str] = []
        for entry in group.each("entries"):
            try:
                found += self._entry(entry)
            except Untranslatable as error:
                self._report.left_out(error)
                self._lost.add(group.path)
        return found

    def lost(self, group: Node) -> bool:
        """Whether an entry of `group` was left out, so that the others are not all that was asked."""
        return group.path in self._lost

    def _entry(self, entry: Node) -> list[str]:
        self._report.only(entry, {"keys", "keyless", "repository"})
        if (repository := entry.get("repository")) is not None:
            self._report.note(
                repository,
                "evidence is looked for beside the image, and in --evidence",
                "copy it there: stagepass evidence copy",
            )
        if (keys := entry.get("keys")) is not None:
            return [self._draft.book.add(self._name, Signer((pem,))) for pem in self._keys(keys)]
        if (keyless := entry.get("keyless")) is not None:
            return [self._draft.book.add(f"{self._name}-keyless", self._keyless(keyless))]
        raise Untranslatable(entry, "neither keys nor keyless", "name who signs")

    def _keys(self, node: Node) -> list[str]:
        self._report.only(node, {"publicKeys", "signatureAlgorithm", "rekor", "ctlog"})
        algorithm = node.get("signatureAlgorithm")
        if algorithm is not None and algorithm.value != "sha256":
            raise Untranslatable(
                algorithm, "the hash goes with the key", "sign with cosign's defaults"
            )
        rekor = node.get("rekor")
        if rekor is None or not rekor.flag("ignoreTlog", default=False):
            self._report.without(
                rekor or node,
                "transparency-log",
                "a log entry of a key's signature is not asked for",
            )
        log = node.get("ctlog")
        if log is not None and log.get("tsaCertChain") is not None:
            self._report.without(log, "timestamp", "a time stamp is not asked for")
        public = node.get("publicKeys")
        if public is None:
            raise Untranslatable(node, "no key stands here", "write the key itself into publicKeys")
        return pem_keys(public)

    def _keyless(self, node: Node) -> Signer:
        self._report.only(node, {"issuer", "subject", "rekor", "ctlog"})
        rekor = node.get("rekor")
        if rekor is not None:
            self._report.only(rekor, {"url", "ignoreTlog"})
            if rekor.says("url", _PUBLIC_LOG).rstrip("/") != _PUBLIC_LOG:
                raise Untranslatable(
                    rekor, "a log of your own", "name its trust root: identities with trustRoots"
                )
        if (ctlog := node.get("ctlog")) is not None:
            self._report.only(ctlog, {"ignoreSCT"})
        issuer, subject = node.get("issuer"), node.get("subject")
        if issuer is None or subject is None:
            raise Untranslatable(node, "anybody would do", "write issuer and subject")
        if set(issuer.text()) & set("*?"):
            raise Untranslatable(issuer, "an issuer is exact here", "write one identity for each")
        globs = of_wildcard(subject.text())
        if globs is None:
            raise Untranslatable(subject, "'?' has no counterpart", "write '*' or '**'")
        if not globs.exact:
            self._report.stricter(
                subject, "what '**' stands for is never empty here", f"compare: {globs.texts[0]}"
            )
        wants_root(node, PUBLIC_GOOD, self._draft)
        return Signer(identities=(Identity(issuer.text(), globs.texts[0], PUBLIC_GOOD),))
