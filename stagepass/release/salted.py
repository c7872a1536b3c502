"""
A Secret in a release: never its values, but what tells whether a value is the one that was meant.

The salt of a value is made of the commit and its place, so that the same commit gives the same release on
every machine. It hides no value that can be guessed: whoever reads the release can try every PIN.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from stagepass.errors import InputError
from stagepass.manifests import secrets
from stagepass.objects import Object, members


def salted_secret(secret: Object, uri: str, commit: str, resource: str) -> dict[str, Any]:
    """
    The Secret `resource` with every value of `data` replaced, deterministically.

    Raises `InputError` for a value that is not base64; it is never part of a message.
    """
    if not (data := members(secret.get("data"))):
        return dict(secret)
    found = {
        key: secrets.salted(_base64(value, key), secrets.salt_of(uri, commit, resource, key))
        for key, value in data.items()
    }
    return {**secret, "data": found}


def plain_keys(secret: Object) -> list[str]:
    """The keys whose values a Secret shows, in any of its members that hold values."""
    data, text = secret.get("data"), secret.get("stringData")
    shown = [key for key, value in members(data).items() if not secrets.is_salted(value)]
    both = (("data", data), ("stringData", text))
    odd = [name for name, value in both if value and not members(value)]
    return sorted([*shown, *members(text), *odd])


def _base64(value: object, key: str) -> str:
    """Checked: a value that an API server would refuse is not one that it could ever show."""
    if not isinstance(value, str):
        raise InputError(f"data.{key} is not text")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"data.{key} is not base64") from error
    return value
