"""Lint: identities that let in more people than anybody meant, and roots that date more than they should."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from stagepass.identity import Glob, Identity
from stagepass.policy.lint_finding import Finding, of_attestor
from stagepass.policy.model import PolicySet

GITHUB = "https://token.actions.githubusercontent.com"
_OR_WHY = "or say why not with allowWide: REASON"
# What decides whose a subject is: host and first segment of a URL, the domain of an address.
_URL = re.compile(r"[^:/@]+://(?P<whose>[^/]*/[^/]*)")
# Below these the first segment is everybody's: how many it takes to say whose.
_DEEPER = {
    "https://circleci.com/": 4,  # api/v2/projects/ID
    "https://g.codefresh.io/": 2,  # build/ID
    "https://kubernetes.io/": 2,  # namespaces/NAME
}
# Anybody gets an address there.
_PUBLIC_MAIL = {
    "163.com", "aol.com", "fastmail.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com",
    "hotmail.com", "icloud.com", "live.com", "mail.com", "mail.ru", "me.com", "msn.com", "outlook.com",
    "proton.me", "protonmail.com", "qq.com", "web.de", "yahoo.com", "yandex.ru",
}  # fmt: skip
_WITH_REFS = (GITHUB, "https://gitlab.com")


def wide_identities(policy: PolicySet) -> Iterator[Finding]:
    """
    `identity-wide`: the subject of an identity says literally whose it is: host and organisation.
    `identity-any-ref`: and of which ref. `identity-any-caller`: and GitHub's who called the workflow.
    """
    for attestor, key in policy.all_keys():
        if not isinstance(key.public, Identity) or key.allow_wide:
            continue
        what = f"{key.public.subject.text!r} of {key.owner!r}"
        for rule, is_wide, message in _RULES:
            if is_wide(key.public):
                yield Finding(of_attestor(attestor.name), rule, f"{what} {message}, {_OR_WHY}")


def unbound_roots(policy: PolicySet) -> Iterator[Finding]:
    """
    `trust-root-not-bound`: with several trust roots, an identity says under which it verifies, and a key
    whose times matter says whose they are: one with a window, or any where something is revoked.
    """
    times = policy.keys.times
    dating = times.roots if times else frozenset[str]()
    listed, dated = (", ".join(sorted(roots)) for roots in (policy.trust_roots, dating))
    for attestor, key in policy.all_keys():
        if isinstance(key.public, Identity):
            is_free = key.public.roots is None and len(policy.trust_roots) > 1
            message = (
                f"the identity of {key.owner!r} counts under any of the trust roots {listed}; name"
                " those that issue to it with trustRoots"
            )
        else:
            has_times = bool(key.valid_from or key.valid_until or policy.revocations)
            is_free = key.roots is None and len(dating) > 1 and has_times
            message = (
                f"any of the trust roots {dated} may prove when the key of {key.owner!r} signed; name"
                " those whose authorities it uses with trustRoots"
            )
        if is_free:
            yield Finding(of_attestor(attestor.name), "trust-root-not-bound", message)


def _is_wide(subject: Glob) -> bool:
    if subject.is_exact:
        return False
    text = subject.text
    for host, segments in _DEEPER.items():
        if text.startswith(host):
            return "*" in "/".join(text.removeprefix(host).split("/")[:segments])
    if found := _URL.match(text):
        return "*" in found["whose"]
    _, at, domain = text.rpartition("@")
    return "*" in domain if at else True


def _takes_public_mail(identity: Identity) -> bool:
    name, _, domain = identity.subject.text.rpartition("@")
    return "*" in name and domain.lower() in _PUBLIC_MAIL


def _takes_any_ref(identity: Identity) -> bool:
    """A claim that is one ref or environment binds it as well: GitHub asks who may use the latter."""
    text = identity.subject.text
    if "://" not in text or any(_is_exact(identity, name) for name in ("ref", "environment")):
        return False
    _, at, ref = text.rpartition("@")
    return "*" in ref if at else "**" in text and identity.issuer in _WITH_REFS


def _takes_any_caller(identity: Identity) -> bool:
    """The subject is the workflow that signs: of a reusable one, whoever calls it is in claims alone."""
    repository = identity.claims.get("repository")
    is_bound = repository is not None and not _is_wide(repository)
    return identity.issuer == GITHUB and not (is_bound or _is_exact(identity, "repositoryId"))


def _is_exact(identity: Identity, claim: str) -> bool:
    glob = identity.claims.get(claim)
    return glob is not None and glob.is_exact


_WIDE = (
    "takes anybody's host or organisation; write both out, as in https://github.com/ORGANISATION/** or"
    " https://circleci.com/api/v2/projects/PROJECT/**"
)
_MAIL = "takes anybody's address at a mail provider; write each address out"
_ANY_REF = (
    "takes any branch or tag that its stars do, and whoever may push one; write the ref out, bind it with"
    " claims: {ref: ...} or {environment: ...}"
)
_ANY_CALLER = (
    "signs for whoever calls the workflow, from anywhere; bind it with claims: {repository: ...}"
)
_RULES: tuple[tuple[str, Callable[[Identity], bool], str], ...] = (
    ("identity-wide", lambda identity: _is_wide(identity.subject), _WIDE),
    ("identity-wide", _takes_public_mail, _MAIL),
    ("identity-any-ref", _takes_any_ref, _ANY_REF),
    ("identity-any-caller", _takes_any_caller, _ANY_CALLER),
)
