"""Who we are to a registry: the `auths` of a docker config."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stagepass import strictjson
from stagepass.errors import InputError

_MAX_BYTES, _MAX_DEPTH = 1 << 20, 8

Login = tuple[str, str]
"""User and password."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    Logins by exact `host[:port]`, and where they were read from.

    A login goes to its own host, and to the token endpoint that this host names and settings allow;
    never to a mirror's origin or a redirect's target (CVE-2025-27403). `identity_tokens` stand for
    a login at token endpoints. `helped` are hosts whose login lies in a program we do not run.
    """

    path: str = "no docker config"
    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)
    helped: frozenset[str] = frozenset()
    has_store: bool = False
    identity_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, directory: Path | None) -> Credentials:
        """
        From `config.json` in `directory`, else in `$DOCKER_CONFIG`, else in `~/.docker`.

        No such file means no logins, as it does to docker. Raises `InputError`.
        """
        default = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
        path = (directory or Path(default)) / "config.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(str(path))
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, path: str) -> Credentials:
        """From the bytes of a docker config; `path` is for messages. Raises `InputError`."""
        try:
            config = strictjson.loads_object(data, max_bytes=_MAX_BYTES, max_depth=_MAX_DEPTH)
        except InputError as error:
            raise InputError(error.message, where=path) from error
        logins: dict[str, Login] = {}
        identities: dict[str, str] = {}
        for key, entry in _object(config, "auths", path).items():
            login, identity = _login(entry, f"{path}: auths.{key}")
            host = _host_of(key)
            if login and host and (key == host or host not in logins):
                logins[host] = login
            if identity and host and (key == host or host not in identities):
                identities[host] = identity
        helped = frozenset(map(_host_of, _object(config, "credHelpers", path)))
        return cls(path, logins, helped, bool(config.get("credsStore")), identities)

    def for_host(self, host: str) -> Login | None:
        """The login for exactly `host[:port]`."""
        return self.logins.get(host)

    def identity_for(self, host: str) -> str | None:
        """The identity token for exactly `host[:port]`: an OAuth 2 refresh token."""
        return self.identity_tokens.get(host)

    def lack(self, host: str) -> str:
        """Where a login for `host` was looked for, for a message."""
        lack = f"{self.path} has no auths entry for it"
        if self.has_store or host in self.helped:
            lack += " but names a credential helper; those are not run, so write the login itself"
        return lack


def _object(config: dict[str, Any], key: str, path: str) -> dict[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{key} is {strictjson.type_name(value)}, not an object", where=path)
    return value


def _host_of(key: str) -> str:
    """`host[:port]` of a key; "" for one that names a repository, whose login is not the host's."""
    host, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    return host if path.rstrip("/") in ("", "v1", "v2") else ""


def _login(entry: object, where: str) -> tuple[Login | None, str]:
    """Login and identity token, None and "" where there is none."""
    if not isinstance(entry, dict):
        raise InputError("not an object", where=where)
    identity = entry.get("identitytoken") or ""
    if not isinstance(identity, str):
        raise InputError("identitytoken is not text", where=where)
    if encoded := entry.get("auth"):
        return _decoded(encoded, where), identity
    user, password = entry.get("username"), entry.get("password")
    if not user and not password:
        return None, identity
    if not isinstance(user, str) or not isinstance(password, str):
        raise InputError("username and password are not both text", where=where)
    return (user, password), identity


def _decoded(encoded: object, where: str) -> Login:
    # The value is a secret: no message may quote it, nor carry the decoder's error, which does.
    try:
        text = base64.b64decode(str(encoded), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        raise InputError("auth is not the base64 of user:password", where=where)
    return user, password.rstrip("\0")
