"""
What an API server's answer to a write means: try again, wait, or give up.

Taken from real answers of a kube-apiserver. The trap: a field of a wrong
type is HTTP 500 and will never succeed, a gate that is down is HTTP 500 and will. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from applier.failure import Failure, Reason
from applier.rules import entries, members

_DENIED = re.compile(r'admission webhook "[^"]*" denied the request', re.ASCII)
_POLICY_DENIED = re.compile(r"ValidatingAdmissionPolicy '[^']*'.* denied request", re.ASCII)
_CALL_FAILED = re.compile(r"failed (?:calling|to call) webhook", re.ASCII)
_TYPED = re.compile(r"failed to create typed (?:patch|live) object|failed to convert", re.ASCII)
# An answer quotes what it does not like, and that may be a password in a variable of a container.
_QUOTED = re.compile(r'(Invalid value: )(?:"(?:[^"\\]|\\.)*"|.*?)(?=: |$)', re.DOTALL)
_GOT = re.compile(r"(expected [^,]*, got ).*", re.DOTALL)

_FIXED: Mapping[int, Reason] = {
    0: Reason.API_UNAVAILABLE,  # no answer at all: refused, reset, timed out, not TLS
    400: Reason.INVALID,
    401: Reason.API_UNAVAILABLE,  # the token ran out: it is read anew for the next try
    405: Reason.INVALID,
    406: Reason.INVALID,
    410: Reason.STALE_WRITE,
    412: Reason.STALE_WRITE,
    413: Reason.INVALID,
    414: Reason.INVALID,
    415: Reason.INVALID,
    422: Reason.INVALID,
    431: Reason.INVALID,
}


def classify(status: int, body: Mapping[str, Any] | str, *, about: str = "") -> Failure:
    """
    The failure that an answer is. `status` 0 is a connection that failed; then `body` says how.

    `body` is the decoded `Status`, or the text where it was none. `about` is an identity as
    `rules.identity` spells it. Of a Secret nothing is quoted, of others no value.
    """
    answer = body if isinstance(body, Mapping) else {}
    text = answer.get("message") if answer else body
    message = text if isinstance(text, str) else ""
    details = members(answer.get("details"))
    causes = entries(details.get("causes"))
    reason = _reason(status, answer, message, details, causes)
    said = _fields(causes) if _is_secret(about) else _masked(message)
    where = f"HTTP {status}" if status else "no answer"
    parts = (part for part in (about, where, said) if part)
    return Failure(reason, ": ".join(parts), objects=[about] if about else [])


def _reason(
    status: int,
    answer: Mapping[str, Any],
    message: str,
    details: Mapping[str, Any],
    causes: list[Mapping[str, Any]],
) -> Reason:
    if status in (0, 429) or not 400 <= status < 600:
        return Reason.API_UNAVAILABLE
    if _DENIED.search(message) or _POLICY_DENIED.search(message):
        # A gate that could not find out refuses with 503: that is no verdict on the object.
        return Reason.GATE_DENIED if status < 500 else Reason.API_UNAVAILABLE
    if status == 403:
        going = any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
        return Reason.NAMESPACE_MISSING if going else Reason.FORBIDDEN
    if status == 404:
        return _not_found(answer, details)
    if status == 409:
        conflict = any(cause.get("reason") == "FieldManagerConflict" for cause in causes)
        return Reason.CONFLICT if conflict else Reason.STALE_WRITE
    if status == 500 and _TYPED.search(message) and not _CALL_FAILED.search(message):
        return Reason.INVALID
    return _FIXED.get(status, Reason.API_UNAVAILABLE)


def _not_found(answer: Mapping[str, Any], details: Mapping[str, Any]) -> Reason:
    """Plain text, or a Status that names no object, is how an unknown kind is answered."""
    if details.get("kind") == "namespaces":
        return Reason.NAMESPACE_MISSING
    return Reason.MISSING if answer and details.get("name") else Reason.KIND_UNKNOWN


def _is_secret(name: str) -> bool:
    return name.split("/")[1:2] == ["Secret"]


def _masked(message: str) -> str:
    return _GOT.sub(r"\1...", _QUOTED.sub(r"\1...", message))


def _fields(causes: list[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({str(cause["field"]) for cause in causes if cause.get("field")}))
