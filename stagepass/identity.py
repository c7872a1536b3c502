"""Identities: what a verified Sigstore certificate says of its holder, and the patterns that name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Certified:
    """
    What a certificate said that verified under the trust root `root`.

    `issuer` is the OIDC issuer's URL, `subject` the one subject alternative name, `claims` the Fulcio
    extensions that policies may ask for, by our names.
    """

    issuer: str
    subject: str
    claims: Mapping[str, str] = field(hash=False)
    root: str


@dataclass(frozen=True, slots=True)
class Span:
    """When something was signed, as an authority that the policy trusts proves it: both ends inclusive."""

    earliest: datetime
    latest: datetime
