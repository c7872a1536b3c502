"""The token service of a registry: what it hands out is for one scope, and it forgets none."""

from __future__ import annotations

import itertools
import re
from urllib.parse import parse_qs

_PATH = re.compile(r"/v2/(.+)/(?:manifests|referrers|blobs)/")


class Tokens:
    """Tokens by what they are worth: the scope they were asked for."""

    def __init__(self) -> None:
        self._issued: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def issue(self, word: str, fields: str) -> str:
        """A new token that begins with `word`, for the scope in `fields` (a query or a form)."""
        token = f"{word}.{next(self._numbers)}"
        self._issued[token] = " ".join(parse_qs(fields).get("scope", []))
        return token

    def permit(self, word: str, authorization: str, method: str, path: str) -> bool:
        """Whether a token that begins with `word` lets `method` be done to `path`."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or token not in self._issued or not token.startswith(word):
            return False
        where = _PATH.match(path)
        if where is None:
            return True
        repository, _, actions = self._issued[token].rpartition(":")
        wanted = "pull" if method in ("GET", "HEAD") else "push"
        return repository == f"repository:{where[1]}" and wanted in actions.split(",")


def refresh_token(body: bytes) -> str:
    """The identity token of an OAuth 2 request, "" where it is no such request."""
    form = parse_qs(body.decode("latin-1"))
    grants = form.get("grant_type") == ["refresh_token"] and "client_id" in form
    return form.get("refresh_token", [""])[0] if grants else ""
