"""
The `Authorization` that a server asked for: basic, or a token (distribution, "Token Authentication").

What one server asked for is sent to no other (V63, V64); a login is moreover sent to the token
endpoint that the server names, if that is a place where settings let it go.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

from stagepass import strictjson
from stagepass.decision import Code
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.challenge import Challenge, challenges
from stagepass.registry.replies import expect, unavailable
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.transport import Reply, Transport, origin

Server = tuple[str, str]
"""Scheme and `host[:port]`, as `origin` gives them."""

MAX_TOKENS = 1024
"""A token is for one repository, and a policy may cover any number of them."""

_MAX_ANSWER, _MAX_DEPTH = 1 << 16, 8
# Seconds. 60 is the specification's default; the margin is for a request on its way.
_DEFAULT_LIFE, _MARGIN = 60.0, 10.0
_CLIENT = "stagepass"
_MAX_HOST = 255
# What goes into a header: a line break would end it.
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Logins:
    """What each server asked for so far. Thread-safe."""

    def __init__(
        self, credentials: Credentials, settings: RegistrySettings, transport: Transport
    ) -> None:
        self._credentials, self._settings, self._transport = credentials, settings, transport
        self._basic: dict[Server, str] = {}
        self._tokens: OrderedDict[tuple[Server, str], tuple[str, float]] = OrderedDict()
        self._flights: dict[tuple[Server, str], tuple[threading.Lock, list[int]]] = {}
        self._lock = threading.Lock()

    def known(self, server: Server, scope: str) -> str:
        """The `Authorization` to send at once, "" while the server has asked for none."""
        with self._lock:
            token, until = self._tokens.get((server, scope), ("", 0.0))
            return token if time.monotonic() < until else self._basic.get(server, "")

    def answer(
        self, server: Server, scope: str, header: str, refused: str, deadline: Deadline
    ) -> str:
        """
        The `Authorization` for a 401 of `server` with this `WWW-Authenticate`, after `refused`.

        A token costs one request, however many threads want it at the same time; `refused` again is
        all there is. Raises `Unavailable` where we have nothing to give.
        """
        asked, host = challenges(header), server[1]
        login = self._credentials.for_host(host)
        if "basic" in asked and login:
            value = self._basic[server] = _basic(login)
            return value
        if bearer := asked.get("bearer"):
            return self._token(server, scope, bearer, refused, deadline)
        if "basic" in asked:
            raise unavailable(f"{host} asks for a login, and {self._credentials.lack(host)}")
        raise unavailable(f"{host} answered 401 and asks for no authentication that we know")

    def refusal(self, server: Server) -> Unavailable:
        """The reason when a server answers 401 to what it asked for."""
        host = server[1]
        if self._credentials.for_host(host) or self._credentials.identity_for(host):
            return unavailable(f"{host} answered 401: no login of ours is accepted")
        return unavailable(f"{host} answered 401 to a token, and {self._credentials.lack(host)}")

    def _token(
        self, server: Server, scope: str, challenge: Challenge, refused: str, deadline: Deadline
    ) -> str:
        key = server, scope
        with self._single_flight(key, deadline):
            current = self.known(server, scope)
            if current.startswith("Bearer ") and current != refused:
                return current
            sent = time.monotonic()
            token, life = self._fetch(server, scope, challenge, deadline)
            with self._lock:
                self._tokens[key] = token, sent + life - min(_MARGIN, life / 2)
                self._tokens.move_to_end(key)
                while len(self._tokens) > MAX_TOKENS:
                    self._tokens.popitem(last=False)
            return token

    def _fetch(
        self, server: Server, scope: str, challenge: Challenge, deadline: Deadline
    ) -> tuple[str, float]:
        realm = self._realm(server, challenge.parameters.get("realm", ""))
        fields = {"service": challenge.parameters.get("service", ""), "scope": scope}
        fields = {name: value for name, value in fields.items() if value}
        if identity := self._credentials.identity_for(server[1]):
            reply = self._exchange(realm, fields, identity, deadline)
        else:
            reply = self._ask(server, realm, fields, deadline)
        return _read(expect(reply, 200, f"a token of {scope} at {server[1]}"))

    def _ask(self, server: Server, realm: str, fields: dict[str, str], deadline: Deadline) -> Reply:
        login, joint = self._credentials.for_host(server[1]), "&" if urlsplit(realm).query else "?"
        reply = self._transport.send(
            "GET",
            f"{realm}{joint}{urlencode(fields)}",
            deadline=deadline,
            max_bytes=_MAX_ANSWER,
            headers={"Authorization": _basic(login)} if login else {},
        )
        if reply.status == 401 and not login:
            lack = self._credentials.lack(server[1])
            raise unavailable(f"{reply.host} gives no token of {server[1]} unasked, and {lack}")
        return reply

    def _exchange(
        self, realm: str, fields: dict[str, str], identity: str, deadline: Deadline
    ) -> Reply:
        """OAuth 2 (RFC 6749 section 6), as docker does with an identity token."""
        grant = {"grant_type": "refresh_token", "refresh_token": identity, "client_id": _CLIENT}
        return self._transport.send(
            "POST",
            realm,
            deadline=deadline,
            max_bytes=_MAX_ANSWER,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({**grant, **fields}).encode(),
        )

    def _realm(self, server: Server, realm: str) -> str:
        """The realm, if it is a place where a login of `server` may go."""
        try:
            scheme, host = origin(realm)
            url = urlsplit(realm)._replace(fragment="").geturl()
        except ValueError:
            scheme, host, url = "", "no URL", ""
        if not self._settings.may_ask_for_token(scheme, host, server):
            raise unavailable(
                f"{server[1]} wants a token from {scheme}://{host[:_MAX_HOST]}, which is not asked:"
                " logins go over https only, to the registry itself or a host that"
                " STAGEPASS_REGISTRIES names"
            )
        return url

    @contextmanager
    def _single_flight(self, key: tuple[Server, str], deadline: Deadline) -> Iterator[None]:
        with self._lock:
            flight, waiting = self._flights.setdefault(key, (threading.Lock(), [0]))
            waiting[0] += 1
        try:
            if not flight.acquire(timeout=deadline.remaining()):
                raise Unavailable(Code.DEADLINE, f"{key[0][1]} had not given a token in time")
            try:
                yield
            finally:
                flight.release()
        finally:
            with self._lock:
                waiting[0] -= 1
                if not waiting[0]:
                    self._flights.pop(key, None)


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def _read(reply: Reply) -> tuple[str, float]:
    """The `Authorization` with the token of an answer, and its life in seconds."""
    try:
        answer = strictjson.loads_object(reply.body, max_bytes=_MAX_ANSWER, max_depth=_MAX_DEPTH)
    except InputError as error:
        raise unavailable(f"{reply.host} sent no token: not a JSON object") from error
    token, life = answer.get("token") or answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise unavailable(f"{reply.host} sent no token")
    if not isinstance(life, int | float) or isinstance(life, bool) or life < 0:
        life = _DEFAULT_LIFE
    return f"Bearer {token}", float(life)
