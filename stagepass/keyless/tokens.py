"""OIDC tokens: given by hand, or asked of the CI system this runs in."""

from __future__ import annotations

import os
import re

import jwt
from id import GitHubOidcPermissionCredentialError
from sigstore.oidc import IdentityError, IdentityToken, detect_credential

from stagepass.decision import Code
from stagepass.errors import InputError, Unavailable
from stagepass.keyless.calls import call, local_or_https, told

_AUDIENCE = "sigstore"
_NONE = (
    "GitHub Actions: permissions id-token: write, which set ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN; "
    "GitLab: id_tokens: SIGSTORE_ID_TOKEN with aud: sigstore; Buildkite (BUILDKITE) and CircleCI "
    "(CIRCLECI): their agent on PATH; Google Cloud: GOOGLE_SERVICE_ACCOUNT_NAME, or its machines; "
    "elsewhere give --identity-token FILE"
)
# What `id` says of a service that does not answer; all else it says is of how the job is set up.
_AWAY = re.compile(r"timed out|request failed \(code=(?:5\d\d|429)|encountered an error")


def read(text: str) -> IdentityToken:
    """The token in `text`. Raises `InputError`, which never quotes it."""
    try:
        return IdentityToken(text, _AUDIENCE)
    except IdentityError as error:
        where = "the identity token"
        match error.__cause__:
            case jwt.ExpiredSignatureError():
                raise InputError("has expired", where=where, hint="ask for a new one") from None
            case jwt.InvalidAudienceError() | jwt.MissingRequiredClaimError(claim="aud"):
                hint = f"ask for one with aud: {_AUDIENCE}"
                raise InputError("is for another audience", where=where, hint=hint) from None
            case jwt.MissingRequiredClaimError(claim=claim):
                raise InputError(f"has no {claim}", where=where) from None
            case jwt.ImmatureSignatureError():
                raise InputError("is not valid yet", where=where) from None
            case jwt.DecodeError():
                raise InputError("is no JSON Web Token", where=where) from None
        raise InputError(told(error), where=where) from None


def texts(token: IdentityToken) -> list[str]:
    """Every text among its claims, at any depth."""
    found: list[str] = []
    left: list[object] = [jwt.decode(str(token), options={"verify_signature": False})]
    while left:
        match left.pop():
            case str(text):
                found.append(text)
            case dict(members):
                left.extend(members.values())
            case list(items):
                left.extend(items)
    return found


def ambient() -> IdentityToken:
    """
    The token that this CI job can get.

    Raises `InputError` where there is none to get, `Unavailable` where who gives it does not answer.
    """
    if url := os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        local_or_https(url, "ACTIONS_ID_TOKEN_REQUEST_URL")
    token, _ = call(_detected, "the CI system")
    if token is None:
        raise InputError("no identity: this is no CI job that is given one", hint=_NONE)
    return read(token)


def _detected() -> str | None:
    try:
        return detect_credential(_AUDIENCE)
    except IdentityError as error:
        if isinstance(error.__cause__, GitHubOidcPermissionCredentialError):
            hint = "the workflow's job needs permissions: {id-token: write}"
            raise InputError(told(error), hint=hint) from error
        if _AWAY.search(str(error)):
            raise Unavailable(Code.REGISTRY_UNAVAILABLE, told(error)) from error
        raise InputError(told(error), hint=_NONE) from error
