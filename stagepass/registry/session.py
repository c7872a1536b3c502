"""Requests to the registries that may be asked, with the login that each of them asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.logins import Logins
from stagepass.registry.replies import unavailable
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.transport import Observer, Reply, Transport, origin

CONNECTIONS = 16
"""Kept for each host; more are opened when needed. As many as a gate's threads and readers."""

_MAX_RECEIPT = 1 << 16
_PULL, _PUSH = "pull", "pull,push"


@dataclass(frozen=True, slots=True)
class Resource:
    """A URL below a repository, and the scope of the token that it may take."""

    url: str
    scope: str

    def following(self, url: str) -> Resource:
        """Where the registry sends us on, if that is itself. Raises `Unavailable`."""
        if origin(url) != origin(self.url):
            raise unavailable(f"{urlsplit(self.url).netloc} refers us to {urlsplit(url).netloc!r}")
        return replace(self, url=url)


class Session:
    """Checks hosts before any socket (B61), and answers a 401 once. Thread-safe."""

    def __init__(
        self,
        settings: RegistrySettings,
        credentials: Credentials,
        allowed_hosts: frozenset[str],
        ca_file: Path | None,
        observe: Observer | None = None,
    ) -> None:
        self.settings, self._allowed = settings, allowed_hosts
        self._transport = Transport(per_host=CONNECTIONS, ca_file=ca_file, observe=observe)
        self._logins = Logins(credentials, settings, self._transport)

    def close(self) -> None:
        """Close every kept connection; whoever asks again opens new ones."""
        self._transport.close()

    def resource(self, image: ImageRef, tail: str, *, is_push: bool = False) -> Resource:
        """`tail` below the image's repository. Raises `Unavailable` for a host that is not asked."""
        if image.host not in self._allowed:
            raise unavailable(
                f"{image.host} is not asked: only the registries that the policy's images name are"
            )
        base, name = self.settings.base_url(image.host), image.repository
        url = f"{base}/v2/{quote(name)}/{quote(tail, safe='/:')}"
        return Resource(url, f"repository:{name}:{_PUSH if is_push else _PULL}")

    def get(self, resource: Resource, deadline: Deadline, max_bytes: int, accept: str) -> Reply:
        """GET, of `max_bytes` at most."""
        headers = {"Accept": accept}
        return self.send("GET", resource, deadline, max_bytes=max_bytes, headers=headers)

    def send(
        self,
        method: str,
        resource: Resource,
        deadline: Deadline,
        *,
        max_bytes: int = _MAX_RECEIPT,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One answer; a 401 is answered once, with a login that goes to this server alone."""
        server, scope = origin(resource.url), resource.scope

        def send(login: str) -> Reply:
            auth = {"Authorization": login} if login else {}
            return self._transport.send(
                method,
                resource.url,
                deadline=deadline,
                max_bytes=max_bytes,
                headers={**(headers or {}), **auth},
                body=body,
            )

        known = self._logins.known(server, scope)
        reply = send(known)
        if reply.status != 401:
            return reply
        asked = reply.header("WWW-Authenticate")
        login = self._logins.answer(server, scope, asked, known, deadline)
        if login != known:
            reply = send(login)
        if reply.status == 401:
            raise self._logins.refusal(server)
        return reply

    def fetch_elsewhere(self, url: str, deadline: Deadline, max_bytes: int) -> Reply:
        """GET from an object store: nothing of ours goes there but the request (V64)."""
        return self._transport.send("GET", url, deadline=deadline, max_bytes=max_bytes, headers={})
