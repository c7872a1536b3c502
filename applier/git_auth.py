"""
Where Git may be asked, and with what: URLs, keys, tokens, known hosts.

A token is in no argument, no file of ours and no message; it is sent to the URL's own host alone. An
unknown SSH host is refused, never trusted on first use (CVE-2025-23390).
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from applier.failure import Failure, Reason

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MAX_URL = 2048
_MAX_SECRET = 64 << 10
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PATH = re.compile(r"/[A-Za-z0-9._~/+@=,%-]*")
_USERINFO = re.compile(r"(?<=://)[^/\s'\"@]*@")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """Files of one repository's access, read at every fetch, so that a rotation needs no restart."""

    ssh_key: Path | None = None
    known_hosts: Path | None = None
    token_file: Path | None = None
    username: str = "git"
    """Sent with the token, as HTTP Basic; most servers ignore it."""
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What one call adds: environment, `-c` options, and secrets that no message may show."""

    env: dict[str, str]
    config: tuple[str, ...]
    secrets: tuple[str, ...]


def check_url(url: str, *, allow_file: bool) -> SplitResult:
    """
    The URL's parts. Raises GIT_REFUSED, without quoting it, as it may hold a password.

    https and ssh; plain http to this machine alone; `file` by flag. A name that starts with `-` would
    be an option of ssh (CVE-2017-1000117).
    """
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused("the URL is too long, or has a character that is not printable ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("the URL cannot be read") from error
    if parts.query or parts.fragment or port == 0:
        raise _refused("the URL has a query, a fragment or port 0")
    if not _PATH.fullmatch(parts.path) or parts.path.startswith("/-"):
        raise _refused("the path of the URL has a character that is not allowed")
    if parts.scheme == "file":
        if not allow_file or parts.netloc:
            raise _refused("file:// URLs are not allowed here")
        return parts
    if parts.scheme not in ("https", "ssh", "http"):
        raise _refused("only https:// and ssh:// URLs are allowed")
    if not _HOST.fullmatch(host):
        raise _refused("the URL names no host, or a host that is not one")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise _refused("plain http:// is allowed to this machine only; use https://")
    _check_user(parts)
    return parts


def _check_user(parts: SplitResult) -> None:
    if "@" not in parts.netloc:
        return
    if parts.scheme != "ssh" or parts.password is not None:
        raise _refused("the URL holds a user or a password; put the token into a file")
    if not _USER.fullmatch(parts.username or ""):
        raise _refused("the user in the URL is not one")


@contextmanager
def access(parts: SplitResult, credentials: GitCredentials, home: Path) -> Iterator[Access]:
    """What the fetch of `parts` needs. `home` is a private directory that is removed afterwards."""
    if parts.scheme == "ssh":
        yield Access({"GIT_SSH_COMMAND": _ssh(credentials, home), "GIT_SSH_VARIANT": "ssh"}, (), ())
    elif parts.scheme in ("https", "http"):
        yield _http(parts, credentials)
    else:
        yield Access({}, (), ())


def ssh_options(credentials: GitCredentials, key: Path | None) -> list[str]:
    """Options of ssh that leave nothing to the machine's or the user's configuration."""
    if credentials.known_hosts is None or not credentials.known_hosts.is_file():
        raise _refused("an ssh:// URL needs a known_hosts file")
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(credentials.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": _quoted(key) if key else "none",
        "PreferredAuthentications": "publickey",
        "ForwardAgent": "no",
        "ProxyCommand": "none",
        "PermitLocalCommand": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "10",
    }
    return ["-F", "/dev/null", *(a for k, v in options.items() for a in ("-o", f"{k}={v}"))]


def _ssh(credentials: GitCredentials, home: Path) -> str:
    key = None
    if credentials.ssh_key is not None:
        key = home / "key"  # a Secret mounted with fsGroup is 0440, and ssh refuses such a key
        key.touch(mode=0o600)
        key.write_bytes(_secret(credentials.ssh_key))
    return shlex.join(["ssh", *ssh_options(credentials, key)])


def _http(parts: SplitResult, credentials: GitCredentials) -> Access:
    config, env, secrets = [], {}, []
    if credentials.ca_file is not None:
        if not credentials.ca_file.is_file():
            raise _refused(f"{credentials.ca_file}: there is no such file of certificates")
        config.append(f"http.sslCAInfo={credentials.ca_file.absolute()}")
    if credentials.token_file is not None:
        token = _secret(credentials.token_file).decode("latin-1").strip()
        if not _TOKEN.fullmatch(token):
            raise _refused("the token file is empty or is no token")
        pair = f"{credentials.username or 'git'}:{token}"
        basic = base64.b64encode(pair.encode("latin-1", "replace")).decode()
        # From the environment, not by -c: /proc/PID/cmdline is readable by everybody. The key names
        # the host, so nobody else is sent the header.
        env = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
        secrets = [token, basic]
    return Access(env, tuple(config), tuple(secrets))


def scrub(text: str, secrets: tuple[str, ...]) -> str:
    """`text` in one printable line, without URL userinfo and without any of `secrets`."""
    text = _USERINFO.sub("", text)
    for secret in secrets:
        text = text.replace(secret, "***")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _quoted(path: Path) -> str:
    """As ssh's own option parser reads a path that may have blanks; `%` would be expanded."""
    text = str(path.absolute()).replace("%", "%%")
    return f'"{text}"'


def _secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET + 1)
    except OSError as error:
        raise _refused(f"{path}: {error.strerror}") from error
    if len(content) > _MAX_SECRET:
        raise _refused(f"{path}: over {_MAX_SECRET} bytes")
    return content


def _refused(message: str) -> Failure:
    return Failure(Reason.GIT_REFUSED, message)
