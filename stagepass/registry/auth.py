"""Who we are to a registry: the `auths` of a docker config, and the answer to a 401."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stagepass import strictjson
from stagepass.decision import Code
from stagepass.errors import InputError, Unavailable

_MAX_BYTES, _MAX_DEPTH = 1 << 20, 8
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z]+)(?=\s|,|$)", re.ASCII)

Login = tuple[str, str]
"""User and password."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    Logins by exact `host[:port]`, and where they were read from.

    A login goes to its own host only, never to a mirror's origin or a redirect's target
    (CVE-2025-27403). `helped` are hosts whose login lies in a program we do not run.
    """

    path: str = "no docker config"
    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)
    helped: frozenset[str] = frozenset()
    has_store: bool = False

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
        for key, entry in _object(config, "auths", path).items():
            login, host = _login(entry, f"{path}: auths.{key}"), _host_of(key)
            if login and host and (key == host or host not in logins):
                logins[host] = login
        helped = frozenset(map(_host_of, _object(config, "credHelpers", path)))
        return cls(path, logins, helped, bool(config.get("credsStore")))

    def for_host(self, host: str) -> Login | None:
        """The login for exactly `host[:port]`."""
        return self.logins.get(host)

    def answer(self, host: str, challenges: str) -> str:
        """
        The `Authorization` that a 401 of `host` asks for; `challenges` is its `WWW-Authenticate`.

        Raises `Unavailable` where we have none to give.
        """
        schemes = {scheme.lower() for scheme in _SCHEME.findall(challenges)}
        if "basic" in schemes and (login := self.for_host(host)):
            return "Basic " + base64.b64encode(":".join(login).encode()).decode()
        if "basic" in schemes:
            raise _unavailable(f"{host} asks for a login, and {self._lack(host)}")
        if "bearer" in schemes:
            raise _unavailable(
                f"{host} asks for token authentication, which this version does not support yet;"
                " the next release will"
            )
        raise _unavailable(f"{host} answered 401 and asks for no authentication that we know")

    def _lack(self, host: str) -> str:
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


def _login(entry: object, where: str) -> Login | None:
    if not isinstance(entry, dict):
        raise InputError("not an object", where=where)
    if encoded := entry.get("auth"):
        return _decoded(encoded, where)
    user, password = entry.get("username"), entry.get("password")
    if not user and not password:
        return None
    if not isinstance(user, str) or not isinstance(password, str):
        raise InputError("username and password are not both text", where=where)
    return user, password


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


def _unavailable(message: str) -> Unavailable:
    return Unavailable(Code.REGISTRY_UNAVAILABLE, message)
