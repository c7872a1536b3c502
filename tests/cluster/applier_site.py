"""A cluster with the CRDs, an applier in it, and a record of every request: for tests of what people see."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.delivery import (
    APPLIER,
    ROOT,
    Delivery,
    Team,
    config_map,
    one_cluster,
)

_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class Site:
    """A cluster with the CRDs, an applier in it, and the API server's record of every request."""

    def __init__(self, delivery: Delivery, audit: Path, metrics: str) -> None:
        self.delivery, self.team, self.cluster = delivery, delivery.team, delivery.cluster
        self._audit, self._metrics = audit, metrics

    def kubectl(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """In the applier's namespace; what was printed, errors too."""
        done = self.cluster.kubectl("-n", APPLIER, *arguments, check=check, stdin=stdin)
        return done.stdout + done.stderr

    def apply(self, document: dict[str, Any], *, check: bool = True) -> str:
        return self.kubectl("apply", "-f", "-", check=check, stdin=yaml.safe_dump(document))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Status and reason of a condition of an Application, ("", "") where it has none yet."""
        for each in self.get("application", name).get("status", {}).get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "", ""

    def letters(self) -> list[dict[str, Any]]:
        """As `dlq ls` prints them."""
        done = self.delivery.run("dlq", "ls", "--output", "json")
        assert done.returncode in (0, 1), done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def requests(self) -> list[tuple[str, str]]:
        """(verb, path) of every request the applier or its commands ever sent."""
        lines = self._audit.read_text().splitlines()
        found = (json.loads(line) for line in lines if line.endswith("}"))
        return [
            (each["verb"], each["requestURI"])
            for each in found
            if each.get("userAgent", "").startswith("stagepass-applier")
        ]

    def metrics(self) -> str:
        """All of the applier's."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, name: str) -> float:
        """A sample of the applier's metrics, 0 where there is none."""
        lines = self.metrics().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextmanager
def make_site(directory: Path) -> Iterator[Site]:
    """Running inside the block; `directory` is empty."""
    (directory / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
    audit = directory / "audit.log"
    flags = [f"--audit-policy-file={directory / 'audit.yaml'}", f"--audit-log-path={audit}"]
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        metrics = f"127.0.0.1:{listener.getsockname()[1]}"
    with one_cluster(directory, flags) as (server, cluster, _):
        cluster.kubectl("apply", "-k", str(ROOT / "deploy" / "crds"))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        delivery = Delivery(
            Team(directory / "team", server), "test", cluster, directory / "applier"
        )
        delivery.more["METRICS_BIND"] = metrics
        with delivery:
            yield Site(delivery, audit, metrics)


def application(name: str = "shop-test", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "stagepass.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": APPLIER},
        "spec": {"pipeline": "shop", "stage": "test", **spec},
    }


def deploy(site: Site) -> str:
    """A good version, passed."""
    commit = site.team.deploy(site.team.attest(site.team.image()))
    site.delivery.wait_passed(commit)
    return commit


def break_it(site: Site) -> str:
    """A version that nobody may apply."""
    return site.team.commit({"test/web.yaml": config_map("other").replace("shop", "kube-system")})
