"""
Every row of the hostile content as an application of one running applier, beside two harmless ones.

Around them lie traps: programs, files and a port that nothing may start, read or connect to.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.applier.hostile import CANARY
from tests.applier.hostile_objects import definitions
from tests.applier.test_hostile import arm
from tests.applier.world import Listener, listener
from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Delivery, Team, config_map
from tests.cluster.hostile_rows import FILES, SERVERS, TREES, canaries, write_policy
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository

ROOT = "teams/app"
"""Of every row of files: what stands beside and above it is a canary."""
HARMLESS = ("inert", "patched")
_TRAPS = (
    "git-lfs",
    "git-remote-ext",
    "git-remote-file",
    "helm",
    "ssh",
    "docker",
    "touch",
    "run.sh",
)


class _Trapped(Delivery):
    """The applier in an environment that points every program it may start to a trap (G23)."""

    trap: Path
    port: int

    def environment(self) -> dict[str, str]:
        given = super().environment()
        proxy = f"http://127.0.0.1:{self.port}"
        names = ("https_proxy", "HTTPS_PROXY", "all_proxy")
        return {
            **given,
            **dict.fromkeys(names, proxy),
            "no_proxy": "127.0.0.1,localhost",
            "PATH": f"{self.trap / 'bin'}:{given['PATH']}",
            "DATABASE_PASSWORD": CANARY,
            "KUBECONFIG": str(self.trap / "kubeconfig"),
            "KUSTOMIZE_PLUGIN_HOME": str(self.trap / "plugins"),
            "XDG_CONFIG_HOME": str(self.trap / "plugins"),
            "HELM_PLUGINS": str(self.trap / "plugins"),
            "GIT_CONFIG_GLOBAL": str(self.trap / "gitconfig"),
            "GIT_SSH_COMMAND": str(self.trap / "bin" / "ssh"),
            "GIT_ASKPASS": str(self.trap / "bin" / "ssh"),
            "GIT_TRACE": str(self.trap / "sprung"),
        }


class Trees:
    """A cluster with all of it; `sprung` is the file that every trap would make."""

    def __init__(self, directory: Path, server: GitServer, delivery: _Trapped, port: int) -> None:
        self.directory, self.server, self.delivery, self.port = directory, server, delivery, port
        self.sprung = delivery.trap / "sprung"
        self.script = f'#!/bin/sh\necho "$0 $*" >> {self.sprung}\n'
        self.sources: dict[str, tuple[str, str, str]] = {}
        self.repositories: dict[str, Repository] = {}

    def lay(self) -> None:
        """Traps, repositories and the policy that names them, before the applier starts."""
        self._lay_traps()
        deploy = self.delivery.team.repository
        around = canaries()
        for name, files in FILES.items():
            below = {f"{ROOT}/run.sh": self.script.encode()}
            below |= {f"{ROOT}/{path}": content for path, content in files.files.items()}
            deploy.commit(name, {**around, **below})
            self.sources[name] = (self.server.url("deploy"), name, ROOT)
        for name, tree in TREES.items():
            repository = self.server.create(name)
            repository.advance("main", tree.build(repository))
            self.sources[name] = (self.server.url(name), "main", ".")
        for name in HARMLESS:
            self.repositories[name] = self.server.create(name)
            self.sources[name] = (self.server.url(name), "main", ROOT)
        self.write_harmless("1")
        self.repositories["inert"].point(
            "refs/heads/--upload-pack=run.sh", self.repositories["inert"].head("main")
        )
        write_policy(self.delivery.team, self.sources)

    def write_harmless(self, version: str) -> dict[str, str]:
        """A version of both, with everything around it that must be inert; their commits."""
        url = f"http://127.0.0.1:{self.port}/x.git"
        hooks = ("post-checkout", "reference-transaction", "fsmonitor")
        inert = {
            ".gitattributes": b"* filter=lfs diff=x\n*.yaml ident export-subst\ngone.yaml export-ignore\n",
            ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = {url}\n'.encode(),
            ".lfsconfig": f"[lfs]\n\turl = {url}\n".encode(),
            **{f".githooks/{name}": self.script.encode() for name in hooks},
            f"{ROOT}/.gitattributes": b"*.yaml filter=lfs export-subst ident\n",
            f"{ROOT}/a.yaml": config_map("inert", a="$Format:%H$ $Id$", at=version).encode(),
            f"{ROOT}/gone.yaml": config_map("gone", at=version).encode(),
        }
        patch = f"    - {{op: add, path: /data/patched, value: '{version}'}}"
        patches = f"patches:\n- patch: |-\n{patch}\n  target: {{kind: .*}}\n"
        patched = {
            f"{ROOT}/kustomization.yaml": f"resources: [a.yaml]\n{patches}".encode(),
            f"{ROOT}/a.yaml": config_map("patched", a="b").encode(),
            f"{ROOT}/kubeconfig": self._kubeconfig(),
            f"{ROOT}/.kube/config": self._kubeconfig(),
        }
        pairs = zip(HARMLESS, (inert, patched), strict=True)
        return {name: self.repositories[name].commit("main", files) for name, files in pairs}

    def arm_mirrors(self) -> int:
        """Hooks, filters and helpers in the applier's mirrors of what is harmless; how many those are."""
        heads = {self.repositories[name].head("main") for name in HARMLESS}
        armed = 0
        for mirror in (self.delivery.directory / "state" / "git").glob("*.git"):
            refs = [each for each in (mirror / "refs").rglob("*") if each.is_file()]
            if heads & {each.read_text().strip() for each in refs}:
                arm(mirror, self.script, f"http://127.0.0.1:{self.port}/x")
                armed += 1
        return armed

    def last(self, name: str) -> dict[str, Any]:
        """The newest line about that application."""
        said = (e for e in self.delivery.events() if e["event"] == "application")
        return ([e for e in said if e["name"] == f"{name}.test"] or [{}])[-1]

    def reasons(self) -> dict[str, list[tuple[str, str]]]:
        """Of every application, the (reason, message) that were ever logged."""
        found: dict[str, list[tuple[str, str]]] = {}
        for event in self.delivery.events():
            if event["event"] == "application" and event["reason"]:
                name = event["name"].removesuffix(".test")
                found.setdefault(name, []).append((event["reason"], event["message"]))
        return found

    def writes(self) -> set[str]:
        """The paths of all that the applier ever wrote to, or tried to."""
        lines = (self.directory / "audit.log").read_text().splitlines()
        found = (json.loads(line) for line in lines if line.endswith("}"))
        return {
            each["requestURI"].partition("?")[0]
            for each in found
            if each.get("userAgent", "").startswith("stagepass-applier")
            and each["verb"] not in ("get", "list", "watch")
        }

    def _lay_traps(self) -> None:
        trap = self.delivery.trap
        programs = [trap / "bin" / name for name in _TRAPS]
        programs.append(trap / "plugins/kustomize/plugin/someteam.example.com/v1/run/Run")
        programs.append(trap / "plugins/someteam.example.com/v1/run/Run")
        for program in programs:
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(self.script)
            program.chmod(0o755)
        run = trap / "bin" / "run.sh"
        (trap / "gitconfig").write_text(f"[core]\n\tfsmonitor = {run}\n\thooksPath = {trap}/bin\n")
        (trap / "kubeconfig").write_bytes(self._kubeconfig())

    def _kubeconfig(self) -> bytes:
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": []}
        server = {"server": f"http://127.0.0.1:{self.port}"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"exec": plugin}}],
        }
        return yaml.safe_dump(document).encode()


_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def _audited(directory: Path) -> list[str]:
    """Flags of an API server that keeps a record of every request in `directory`/audit.log."""
    (directory / "audit.yaml").write_text(json.dumps(_AUDIT))
    return [
        f"--audit-policy-file={directory / 'audit.yaml'}",
        f"--audit-log-path={directory / 'audit.log'}",
    ]


def _open(cluster: ControlPlane) -> None:
    """The API server serves all of G33, and lets the source's account do everything."""
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(definitions()))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    account = "--serviceaccount=shop:deployer"
    cluster.kubectl("create", "clusterrolebinding", "all", "--clusterrole=cluster-admin", account)


def _lie(server: GitServer, fault: str, port: int) -> None:
    """A repository whose server redirects, has alternates elsewhere, or breaks every pack."""
    repository = server.create("deploy")
    content = config_map("lied", a="b").encode()
    commit, blob = repository.commit("main", {"a.yaml": content}), repository.blob(content)
    url = f"http://127.0.0.1:{port}/x.git"
    if fault == "dumb":
        (repository.path / "info").mkdir(exist_ok=True)
        (repository.path / "info" / "refs").write_text(f"{commit}\trefs/heads/main\n")
        (repository.path / "objects/info/http-alternates").write_text(f"{url}/objects\n")
        (repository.path / "objects" / blob[:2] / blob[2:]).unlink()
    setattr(server.faults, fault, url if fault == "redirect" else True)


@contextmanager
def make_trees(directory: Path) -> Iterator[tuple[Trees, Listener]]:
    """Running inside the block; `directory` is empty and short: etcd's socket lies below it."""
    for name in ("git", "team", "cluster", "applier", "trap"):
        (directory / name).mkdir()
    with ExitStack() as stack:
        elsewhere = stack.enter_context(listener())
        server = stack.enter_context(GitServer(directory / "git"))
        flags = _audited(directory)
        cluster = stack.enter_context(ControlPlane(directory / "cluster", apiserver_flags=flags))
        _open(cluster)
        team = Team(directory / "team", server)
        delivery = _Trapped(team, "test", cluster, directory / "applier")
        delivery.trap, delivery.port = directory / "trap", elsewhere.port
        delivery.more["GIT_POLL"] = "2"
        trees = Trees(directory, server, delivery, elsewhere.port)
        for name, fault in SERVERS.items():
            other = stack.enter_context(GitServer(directory / name))
            _lie(other, fault, elsewhere.port)
            trees.sources[name] = (other.url("deploy"), "main", ".")
        trees.lay()
        subprocess.run([delivery.trap / "bin" / "helm"], check=True)  # the traps do spring
        assert trees.sprung.exists()
        trees.sprung.unlink()
        stack.enter_context(delivery)
        yield trees, elsewhere
