"""Which registries speak plain HTTP, which are asked through a mirror: `STAGEPASS_REGISTRIES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from stagepass.digest import ImageRef
from stagepass.errors import InputError

_VARIABLE = "STAGEPASS_REGISTRIES"
_FORMS = "write http://HOST[:PORT], https://HOST[:PORT] or HOST=https://MIRROR[:PORT]"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """
    How hosts are reached. Hosts are `HOST[:PORT]`, as in an image reference.

    `plain_http` speak HTTP without TLS; `mirrors` is host → the URL asked in its stead; `redirects`
    are further hosts to which a registry may send us for a blob (its object store) or a token.
    """

    plain_http: frozenset[str] = frozenset()
    mirrors: Mapping[str, str] = field(default_factory=dict)
    redirects: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> RegistrySettings:
        """From comma separated entries. Raises `InputError`, naming the entry."""
        plain: set[str] = set()
        redirects: set[str] = set()
        mirrors: dict[str, str] = {}
        for entry in filter(None, map(str.strip, text.split(","))):
            host, has_mirror, url = entry.partition("=")
            scheme, name = _address(url or host, entry)
            if not has_mirror:
                (plain if scheme == "http" else redirects).add(name)
            elif mirrors.setdefault(_host(host, entry), url) != url:
                raise _refused(entry, f"{host} has two mirrors", "leave one")
        return cls(frozenset(plain), mirrors, frozenset(redirects))

    def base_url(self, host: str) -> str:
        """`scheme://host` to ask for what is named `host`. Loopback needs no entry, as in cosign."""
        if mirror := self.mirrors.get(host):
            return mirror
        is_plain = host in self.plain_http or is_loopback(host)
        return f"{'http' if is_plain else 'https'}://{host}"

    def may_redirect_to(self, scheme: str, host: str) -> bool:
        """Whether a person named this very `scheme` and `host`: loopback is no exception (V64)."""
        mirrors = {urlsplit(url)[:2] for url in self.mirrors.values()}
        named = self.plain_http if scheme == "http" else self.redirects
        return host in named or (scheme, host) in mirrors

    def may_ask_for_token(self, scheme: str, host: str, server: tuple[str, str]) -> bool:
        """
        Whether a login of `server` (scheme, host) may go there: over TLS, unless `server` has none.

        That is the server itself, or a host that a person named (V64).
        """
        is_safe = scheme == "https" or scheme == server[0] == "http"
        return is_safe and (host == server[1] or self.may_redirect_to(scheme, host))


def is_loopback(host: str) -> bool:
    """Whether `host`, its port aside, is this machine."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host) in _LOOPBACK


def _address(url: str, entry: str) -> tuple[str, str]:
    scheme, separator, host = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise _refused(entry, f"{url!r} does not start with http:// or https://")
    return scheme, _host(host, entry)


def _host(host: str, entry: str) -> str:
    """`host` if an image reference could begin with it: no path, no user, no scheme."""
    try:
        is_host = ImageRef.parse(f"{host}/x").host == host
    except InputError:
        is_host = False
    if not is_host:
        raise _refused(
            entry, f"{host!r} is not a registry host", "a host has a dot or a port, and no path"
        )
    return host


def _refused(entry: str, message: str, hint: str = _FORMS) -> InputError:
    return InputError(f"{entry!r}: {message}", where=_VARIABLE, hint=hint)
