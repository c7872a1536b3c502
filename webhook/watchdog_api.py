"""Reading single objects from the API server, with a Pod's service account."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stagepass import strictjson
from stagepass.errors import InputError, StagepassError

_SECONDS = 5.0
_MAX_BYTES, _MAX_DEPTH, _MAX_QUOTED = 4 << 20, 64, 200


class Unreadable(StagepassError):
    """The API server did not say how an object stands; that is no word on the object."""


@dataclass(frozen=True, slots=True)
class Address:
    """`account` is the directory of `token` and `ca.crt`, as the kubelet mounts it."""

    host: str
    port: int
    account: Path


class ApiServer:
    """
    A context manager: one connection, for one round of questions.

    Token and CA are read at its start, since the kubelet renews both. Once the server could not be
    reached, every further `get` fails at once: one round never waits for a dead server twice.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._problem, self._token = "", ""
        self._connection: http.client.HTTPSConnection | None = None

    def __enter__(self) -> Self:
        account = self._address.account
        try:
            self._token = (account / "token").read_text().strip()
            context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._problem = f"{account}: {error}"
            return self
        self._connection = http.client.HTTPSConnection(
            self._address.host, self._address.port, timeout=_SECONDS, context=context
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`, None where it is not there. Raises `Unreadable`."""
        status, body = self._ask(path)
        try:
            answer = strictjson.loads_object(body, max_bytes=_MAX_BYTES, max_depth=_MAX_DEPTH)
        except InputError as error:
            quoted = body[:_MAX_QUOTED].decode(errors="replace")
            raise Unreadable(f"HTTP {status}: {error}: {quoted!r}") from error
        if status == HTTPStatus.OK:
            return answer
        # A path that is not served is a 404 too, and says nothing about the object.
        if status == HTTPStatus.NOT_FOUND and answer.get("reason") == "NotFound":
            return None
        raise Unreadable(f"HTTP {status}: {str(answer.get('message', ''))[:_MAX_QUOTED]}")

    def _ask(self, path: str) -> tuple[int, bytes]:
        if self._connection is None or self._problem:
            raise Unreadable(self._problem or "not connected")
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        try:
            self._connection.request("GET", path, headers=headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read(_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Any other ValueError is a token that cannot be a header, and its text holds the token.
            is_ours = isinstance(error, OSError | http.client.HTTPException)
            what = repr(error) if is_ours else type(error).__name__
            self._problem = f"{self._address.host}:{self._address.port}: {what}"
            raise Unreadable(self._problem) from None
