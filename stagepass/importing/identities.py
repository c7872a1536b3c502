"""Identities as policy-controller and Kyverno's newer policies write them."""

from __future__ import annotations

from stagepass.importing.common import Node, Report, Untranslatable, kept
from stagepass.importing.draft import Draft
from stagepass.importing.signers import Identity, Signer
from stagepass.importing.subjects import MOST, literal, of_regexp


def certified(keyless: Node, root: str, draft: Draft) -> Signer:
    """
    Who may sign by the `identities` of `keyless`, under the trust root of that name.

    Raises `Untranslatable` where no identity has a form of ours.
    """
    listed = keyless.each("identities")
    found = [
        Identity(issuer, subject, root)
        for pairs in kept(draft.report, listed, lambda node: _identity(node, draft.report))
        for issuer, subject in pairs
    ]
    if not found:
        raise Untranslatable(
            keyless,
            "no identity has a form of ours",
            "name issuer and subject, as identities of ours",
        )
    wants_root(keyless, root, draft)
    return Signer(identities=tuple(found))


def wants_root(node: Node, root: str, draft: Draft) -> None:
    """List the trust root `root` as missing unless the user gave it."""
    if root not in draft.options.roots:
        draft.report.left_out(
            Untranslatable(
                node,
                f"the set does not load without the trust root {root!r}",
                f"fetch it (stagepass trust update FILE) and give --trust-root {root}=FILE",
            )
        )


def _identity(node: Node, report: Report) -> list[tuple[str, str]]:
    report.only(node, {"issuer", "issuerRegExp", "subject", "subjectRegExp"})
    subjects = _told(node, "subject", report)
    return [(issuer, subject) for issuer in _told(node, "issuer", report) for subject in subjects]


def _told(node: Node, name: str, report: Report) -> tuple[str, ...]:
    plain, pattern = node.get(name), node.get(f"{name}RegExp")
    if plain is not None:
        if pattern is not None:
            raise Untranslatable(pattern, f"both {name} and {name}RegExp", "write one of them")
        if "*" in plain.text():
            raise Untranslatable(plain, "'*' would be a pattern here", "write it as a glob of ours")
        return (plain.text(),)
    if pattern is None:
        raise Untranslatable(node, f"any {name} would do", f"write which {name} it must be")
    found = literal(pattern.text()) if name == "issuer" else of_regexp(pattern.text())
    if found is None:
        form = "one literal text" if name == "issuer" else f"a glob, nor {MOST} of them at most"
        raise Untranslatable(
            pattern,
            f"this regular expression is not {form}",
            f"write the {name} as ours: exact, in a subject with '*' and '**' for what is open",
        )
    if not found.exact:
        report.stricter(
            pattern,
            "ours is anchored, '.' is a dot, and what is open is never empty: it matches less",
            f"compare: {' or '.join(found.texts)}",
        )
    return found.texts
