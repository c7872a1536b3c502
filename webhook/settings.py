"""The webhook's settings: read once, from `STAGEPASS_*` variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stagepass.environ import between, read
from stagepass.errors import InputError
from stagepass.registry.settings import RegistrySettings

_MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """`deadline` in seconds, below the `timeoutSeconds` of the webhook configuration."""

    cluster: str
    policy: Path
    evidence: tuple[str, ...]
    registries: RegistrySettings
    docker_config: Path | None
    bind: str
    tls_directory: Path
    workers: int
    deadline: float

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Raises `InputError`, naming the variable."""
        return cls(
            cluster=read(environ, "STAGEPASS_CLUSTER", str),
            policy=read(environ, "STAGEPASS_POLICY", Path, "/etc/stagepass/policy"),
            evidence=read(environ, "STAGEPASS_EVIDENCE", _evidence, "registry"),
            registries=RegistrySettings.parse(environ.get("STAGEPASS_REGISTRIES", "")),
            docker_config=Path(config) if (config := environ.get("DOCKER_CONFIG")) else None,
            bind=read(environ, "STAGEPASS_BIND", str, "0.0.0.0:8443"),  # a Pod serves its Service
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
        )


def _evidence(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
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
