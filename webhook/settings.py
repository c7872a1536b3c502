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
from stagepass.settings import (
    address,
    credentials,
    directory,
    flag,
    mirrored_evidence_names,
    optional_address,
    public_key,
)

_MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """
    `deadline` in seconds, below the `timeoutSeconds` of the webhook configuration; `policy_poll` in
    seconds between two looks at the policy files. `denials`: whether whoever reaches `metrics_bind` may
    read who was refused what.
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
    denials: bool
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
            policy_root_key=read(environ, "STAGEPASS_POLICY_ROOT_KEY", public_key, ""),
            state_directory=read(environ, "STAGEPASS_STATE_DIR", directory, ""),
            cache_directory=read(environ, "STAGEPASS_CACHE_DIR", directory, ""),
            evidence=read(environ, "STAGEPASS_EVIDENCE", mirrored_evidence_names, "registry"),
            registries=RegistrySettings.parse(environ.get("STAGEPASS_REGISTRIES", "")),
            credentials=read(environ, "DOCKER_CONFIG", credentials, ""),
            bind=read(environ, "STAGEPASS_BIND", address, "0.0.0.0:8443"),  # a Pod's own Service
            metrics_bind=read(environ, "STAGEPASS_METRICS_BIND", optional_address, ""),
            denials=read(environ, "STAGEPASS_DENIALS", flag, "no"),
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
