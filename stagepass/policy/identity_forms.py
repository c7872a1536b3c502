"""The text forms of identities and trust roots in a policy."""

from __future__ import annotations

import re

from stagepass.errors import InputError

_ISSUER = re.compile(r"https?://[^\s*]+")
_SHA256 = re.compile("[0-9a-f]{64}")


def parse_issuer(text: str) -> str:
    """The URL of an OIDC issuer, exactly as its tokens spell it. Raises `InputError`."""
    if not _ISSUER.fullmatch(text):
        raise InputError(
            f"{text!r} is no issuer",
            hint="the exact URL, without *, like https://token.actions.githubusercontent.com",
        )
    return text


def parse_sha256(text: str) -> str:
    """A digest as `sha256sum` prints it. Raises `InputError`."""
    if not _SHA256.fullmatch(text):
        raise InputError(
            f"{text!r} is not 64 lower-case hex digits", hint="the first word of `sha256sum FILE`"
        )
    return text
