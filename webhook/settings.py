"""The webhook's settings: read once, from `STAGEPASS_*` variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stagepass.attestor import PublicKey
from stagepass.environ import between, read
from stagepass.errors import InputError
from stagepass.policy.packed import PACKED_FILE
from stagepass.registry.auth import Credentials
from stagepass.registry.settings import RegistrySettings

_MAX_WORKERS = 64
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Settings:
    """
    `deadline` in seconds, below the `timeoutSeconds` of the webhook configuration; `policy_poll` in
    seconds between two looks at the policy files.
    """

    cluster: str
    policy: Path
    policy_root_key: PublicKey | None
    state_directory: Path | None
    cache_directory: Path | None
    evidence: tuple[str, ...]
    registries: RegistrySettings
    credentials: Credentials
    bind: str
    metrics_bind: str
    tls_directory: Path
    workers: int
    deadline: float
    policy_poll: float

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Raises `InputError`, naming the variable."""
        return cls(
            cluster=read(environ, "STAGEPASS_CLUSTER", str),
            policy=read(environ, "STAGEPASS_POLICY", Path, "/etc/stagepass/policy"),
            policy_root_key=read(environ, "STAGEPASS_POLICY_ROOT_KEY", _public_key, ""),
            state_directory=read(environ, "STAGEPASS_STATE_DIR", _directory, ""),
            cache_directory=read(environ, "STAGEPASS_CACHE_DIR", _directory, ""),
            evidence=read(environ, "STAGEPASS_EVIDENCE", _evidence, "registry"),
            registries=RegistrySettings.parse(environ.get("STAGEPASS_REGISTRIES", "")),
            credentials=read(environ, "DOCKER_CONFIG", _credentials, ""),
            bind=read(environ, "STAGEPASS_BIND", address, "0.0.0.0:8443"),  # a Pod's own Service
            metrics_bind=read(environ, "STAGEPASS_METRICS_BIND", _optional_address, ""),
            tls_directory=read(environ, "STAGEPASS_TLS_DIR", Path, "/etc/stagepass/tls"),
            workers=int(
                read(
                    environ,
                    "STAGEPASS_WORKERS",
                    between(1, _MAX_WORKERS),
                    str(min(os.cpu_count() or 1, _MAX_WORKERS)),
                )
            ),
            deadline=read(environ, "STAGEPASS_DEADLINE", between(0.1, 30), "8"),
            # Two looks must agree, and a change is promised to be in force within two seconds.
            policy_poll=read(environ, "STAGEPASS_POLICY_POLL", between(0.01, 0.8), "0.5"),
        )

    def require_root_key(self) -> None:
        """Raises `InputError` where a packed set, which somebody delivers, has no key to check it by."""
        if self.policy_root_key is None and (self.policy / PACKED_FILE).exists():
            raise InputError(
                f"is not set, and {self.policy} holds a delivered set",
                where="STAGEPASS_POLICY_ROOT_KEY",
                hint="a file with the public key that signs the set",
            )


def _public_key(path: str) -> PublicKey | None:
    """The key in the file `path`, None for "": an unsigned set is then enough."""
    if not path:
        return None
    try:
        return PublicKey.parse(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _directory(path: str) -> Path | None:
    if path and not Path(path).is_dir():
        raise InputError(f"{path!r}: there is no such directory")
    return Path(path) if path else None


def _credentials(directory: str) -> Credentials:
    try:
        return Credentials.read(Path(directory) if directory else None)
    except InputError as error:
        raise InputError(str(error)) from error  # with the file, beside the variable


def address(text: str) -> str:
    """`text`, if it is HOST:PORT. Raises `InputError`."""
    _, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise InputError(f"{text!r} is not HOST:PORT", hint="like 0.0.0.0:8443")
    return text


def _optional_address(text: str) -> str:
    return address(text) if text else ""


def _evidence(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise InputError(f"{text!r} names no source", hint="write registry or dir:PATH")
    for name in names:
        if name == "registry":
            continue
        if not name.startswith("dir:") or name == "dir:":
            raise InputError(
                f"{name!r} is not an evidence source", hint="write registry or dir:PATH"
            )
        # A volume that is not mounted would read as "nothing is attested", everywhere, at once.
        if not Path(name.removeprefix("dir:")).is_dir():
            raise InputError(f"{name!r}: there is no such directory")
    return names
