"""The applier's settings: read once, from `STAGEPASS_*` variables."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from applier.loop import Pace
from stagepass.attestor import PublicKey
from stagepass.environ import between, read
from stagepass.errors import InputError
from stagepass.policy.packed import PACKED_FILE
from stagepass.policy.source import ServiceAccount, Source, parse_path, parse_ref, parse_url
from stagepass.registry.auth import Credentials
from stagepass.registry.settings import RegistrySettings
from stagepass.settings import (
    credentials,
    directory,
    evidence_names,
    flag,
    optional_address,
    public_key,
)
from stagepass.signing import PrivateKey


@dataclass(frozen=True, slots=True)
class Settings:
    """
    `policy` is a directory, and not looked at where `policy_git` is set; `git_credentials` holds a
    directory for each Git host (`ssh_key`, `known_hosts`, `token`, `username`, `ca.crt`). `namespaces`
    are the applier's own and the gate's, into which no source may bring anything.
    """

    cluster: str
    policy: Path
    policy_git: Source | None
    policy_root_key: PublicKey | None
    key: PrivateKey
    evidence: tuple[str, ...]
    registries: RegistrySettings
    credentials: Credentials
    namespace: str
    gate_namespace: str
    state_directory: Path
    git_credentials: Path | None
    allow_file: bool
    mirror: bool
    kubectl: Path
    metrics_bind: str
    pace: Pace

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Raises `InputError`, naming the variable."""
        settings = cls(
            cluster=read(environ, "STAGEPASS_CLUSTER", str),
            policy=read(environ, "STAGEPASS_POLICY", Path, "/etc/stagepass/policy"),
            policy_git=_policy_source(environ),
            policy_root_key=read(environ, "STAGEPASS_POLICY_ROOT_KEY", public_key, ""),
            key=read(environ, "STAGEPASS_KEY", _private_key, "/etc/stagepass/key/cluster.key"),
            evidence=read(environ, "STAGEPASS_EVIDENCE", evidence_names, "registry"),
            registries=RegistrySettings.parse(environ.get("STAGEPASS_REGISTRIES", "")),
            credentials=read(environ, "DOCKER_CONFIG", credentials, ""),
            namespace=read(environ, "STAGEPASS_NAMESPACE", str, "stagepass-applier"),
            gate_namespace=read(environ, "STAGEPASS_GATE_NAMESPACE", str, "stagepass-system"),
            state_directory=read(environ, "STAGEPASS_STATE_DIR", _present, "/var/lib/stagepass"),
            git_credentials=read(environ, "STAGEPASS_GIT_CREDENTIALS", directory, ""),
            allow_file=read(environ, "STAGEPASS_GIT_ALLOW_FILE", flag, "no"),
            mirror=read(environ, "STAGEPASS_MIRROR", flag, "no"),
            kubectl=read(environ, "STAGEPASS_KUBECTL", _program, "kubectl"),
            metrics_bind=read(environ, "STAGEPASS_METRICS_BIND", optional_address, ""),
            pace=Pace(
                fetch=read(environ, "STAGEPASS_GIT_POLL", between(0.1, 3600), "15"),
                look=read(environ, "STAGEPASS_LOOK", between(0.1, 3600), "60"),
                retry=read(environ, "STAGEPASS_RETRY", between(0.1, 600), "5"),
            ),
        )
        settings._require_root_key()
        return settings

    @property
    def forbidden_namespaces(self) -> frozenset[str]:
        """Into which no source may bring anything, whatever policy says."""
        return frozenset({self.namespace, self.gate_namespace, "kube-system"})

    def _require_root_key(self) -> None:
        """Whoever is fed by a repository or a delivered set takes nobody's word for it but the key's."""
        is_packed = self.policy_git is None and (self.policy / PACKED_FILE).exists()
        if self.policy_root_key is None and (self.policy_git or is_packed):
            raise InputError(
                "is not set, and policy comes from a repository or as a delivered set",
                where="STAGEPASS_POLICY_ROOT_KEY",
                hint="a file with the public key that signs the set",
            )


def _policy_source(environ: Mapping[str, str]) -> Source | None:
    """A source that nothing is applied from; its account is nobody's."""
    if not environ.get("STAGEPASS_POLICY_GIT"):
        return None
    path = read(environ, "STAGEPASS_POLICY_PATH", parse_path, ".")
    return Source(
        git=read(environ, "STAGEPASS_POLICY_GIT", parse_url),
        ref=read(environ, "STAGEPASS_POLICY_REF", _full_ref, "main"),
        path=path,
        root=path,
        account=ServiceAccount("", ""),
    )


def _full_ref(text: str) -> str:
    name = parse_ref(text)
    return name if name.startswith(("refs/heads/", "refs/tags/")) else f"refs/heads/{name}"


def _private_key(path: str) -> PrivateKey:
    return PrivateKey.read(Path(path))


def _present(path: str) -> Path:
    found = directory(path)
    if found is None:
        raise InputError("names no directory")
    return found


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise InputError(f"{name!r}: there is no such program")
    return Path(found)
