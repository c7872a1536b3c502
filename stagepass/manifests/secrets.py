"""
Values of Secrets in a release: kept as salted digests, compared without being known. Pure.

`{"$salted": "sha256:HEX", "salt": "HEX"}` stands in place of a value's base64 text. HEX is the sha256
of the RFC 8785 form of `["stagepass.dev/salted/v1", SALT, BASE64]`. The salt is made of where the
value comes from, so that one commit gives one release digest on every machine; it keeps two equal
values from looking equal, and it is not a secret: who can guess a value can check the guess.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from stagepass import canonical

_CONTEXT = "stagepass.dev/salted/v1"
_MEMBERS = {"$salted", "salt"}


def salt_of(source: str, commit: str, resource: str, key: str) -> str:
    """The salt of one value: 64 hex digits, from its source URI, commit, resource name and key."""
    return hashlib.sha256(canonical.dumps([source, commit, resource, key])).hexdigest()


def salted(value: str, salt: str) -> dict[str, str]:
    """What stands in a release for the base64 text `value`.."""
    return {"$salted": f"sha256:{_digest(spelled(value), salt)}", "salt": salt}


def is_salted(value: Any) -> bool:
    """Whether it is what `salted` makes."""
    return (
        isinstance(value, dict)
        and value.keys() == _MEMBERS
        and all(isinstance(each, str) for each in value.values())
    )


def is_value_of(entry: dict[str, str], live: Any) -> bool:
    """Whether the base64 text `live` is what `entry` was made of."""
    if not isinstance(live, str):
        return False
    return entry["$salted"] == f"sha256:{_digest(spelled(live), entry['salt'])}"


def spelled(text: str) -> str:
    """Base64 as an API server writes it; text that is no base64 stays as it is."""
    try:
        data = base64.b64decode(re.sub("[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError):
        return text
    return base64.b64encode(data).decode()


def _digest(text: str, salt: str) -> str:
    return hashlib.sha256(canonical.dumps([_CONTEXT, salt, text])).hexdigest()
