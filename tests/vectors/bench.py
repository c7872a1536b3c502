"""
Two running gates over one policy set, and the people who sign for it.

`offline` has its evidence in a directory, `online` in a registry that lies on demand. The place of
every attack is the namespace `shop` of the cluster `prod`, which wants passes of test and staging.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from stagepass import strictjson
from stagepass.breaker import OPEN_SECONDS
from stagepass.cli.main import run
from stagepass.digest import Digest
from stagepass.predicates.members import REVOCATION_LIST
from stagepass.predicates.revocation import Entry, RevocationList
from stagepass.statement import compose
from tests.simulators.registry import Faults, Registry
from tests.vectors.row import Case, Door
from tests.webhook.reviews import Json, create, pod_spec, review, workload
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import HOST, Shop, digest_of
from tests.world import DAY, HOUR, signed, signed_pass, signer, stored

CLUSTER = "prod"
REVOKED = Digest.of(b"revoked")
_PEOPLE = ("carol", "security", "retired")
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  test-cluster: {keys: [{file: keys/test-cluster.pub, owner: test-cluster}]}
  staging-cluster:
    keys:
      - {file: keys/staging-cluster.pub, owner: staging-cluster}
      - {file: keys/retired.pub, owner: staging-cluster, validUntil: "2020-01-01T00:00:00Z"}
  commanders: {keys: [{file: keys/carol.pub, owner: carol}]}
  security: {keys: [{file: keys/security.pub, owner: security}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["registry.example.com/shop/**", "docker.io/library/nginx", "REGISTRY/shop/**"]
stages:
  - {name: test, clusters: [test], namespaces: [shop], signedBy: [test-cluster]}
  - {name: staging, clusters: [staging], namespaces: [shop], signedBy: [staging-cluster], after: [test]}
  - name: production
    clusters: [prod]
    namespaces: [shop]
    after: [{stage: staging, maxAge: 30d}]
    breakGlass: {from: [commanders], threshold: 1, maxDuration: 4h}
---
apiVersion: stagepass.dev/v1
kind: Revocations
file: revoked.json
from: [security]
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: deny
csiDrivers: [disk.csi.example]
exempt:
  - namespaces: [kube-system]
    images: ["registry.k8s.io/**"]
    reason: control plane
    expires: "2126-01-01T00:00:00Z"
"""


class Bench:
    """A context manager; everything is below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.registry = stack.enter_context(Registry())
            self.shop = Shop(self.directory / "shop")
            for name in _PEOPLE:
                (self.shop.policy / "keys" / f"{name}.pub").write_bytes(signer(name).public_pem)
            (self.shop.policy / "revoked.json").write_bytes(_revoked())
            self.policy_text = _POLICY.replace("REGISTRY", self.registry.host)
            self.shop.write(self.policy_text)
            where = {"CLUSTER": CLUSTER}
            self.offline = stack.enter_context(
                Server(self.directory / "offline", self.shop, **where)
            )
            settings = {**where, "evidence": "registry", "DEADLINE": "2"}
            self.online = stack.enter_context(
                Server(self.directory / "online", self.shop, **settings)
            )
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def answer(self, case: Case) -> str:
        """What comes of `case`. The registry is honest before and after it."""
        self.registry.faults = Faults()
        self.registry.requests.clear()
        try:
            built = case.run(self)
            if case.door is Door.OBJECT:
                return self.judge(built, self.offline, f"dir:{self.shop.evidence}")
            if case.door is Door.REGISTRY:
                return self.judge(built, self.online, "registry")
            return str(built)
        finally:
            slow = self.registry.faults.hang or self.registry.faults.latency
            self.registry.faults = Faults()
            if (
                slow
            ):  # the gate leaves such a registry alone for a while, then tries it with one image
                time.sleep(OPEN_SECONDS + 0.1)
                probe = self.create(f"{self.registry.host}/shop/web@{Digest.of(b'probe')}")
                self.ask(self.online, json.dumps(probe).encode())

    def judge(self, about: Json | bytes, server: Server, evidence: str) -> str:
        """The answer of both doors where they agree, else both."""
        body = about if isinstance(about, bytes) else json.dumps(about).encode()
        admit, webhook = self.admit(body, evidence), self.ask(server, body)
        return admit if admit == webhook else f"admit: {admit}; webhook: {webhook}"

    def admit(self, body: bytes, evidence: str) -> str:
        """What `stagepass admit` says of the review."""
        file = self.directory / "review.json"
        file.write_bytes(body)
        command = ("admit", str(file), "--cluster", CLUSTER, "--evidence", evidence)
        code, text = self.stagepass(*command, "--policy", str(self.shop.policy))
        if code == 64:
            return "refused"
        return _said(json.loads(text)["decision"], _codes_of(json.loads(text)))

    def ask(self, server: Server, body: bytes) -> str:
        """What the webhook says of the review."""
        reply = server.review(body)
        if reply.status in (400, 413):
            return "refused"
        assert reply.status == 200, reply.body
        response = reply.json["response"]
        notes = response["auditAnnotations"]
        assert response["allowed"] is (notes["decision"] == "admitted"), "every place here enforces"
        return _said(notes["decision"], {*notes.get("codes", "").split(",")} - {""})

    def stagepass(self, *arguments: str) -> tuple[int, str]:
        """One command in this process, as JSON: its exit code and standard output."""
        return self.command(*arguments, "--output", "json")

    def command(self, *arguments: str) -> tuple[int, str]:
        """One command in this process: its exit code and standard output."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = run(list(arguments))
        return code, out.getvalue()

    def with_policy(self, change: Callable[[Path], Any]) -> str:
        """What `verify` and the webhook make of a set after `change`; it is as before afterwards."""
        image = self.passed()
        kept = {p: p.read_bytes() for p in self.shop.policy.rglob("*") if p.is_file()}
        try:
            change(self.shop.policy)
            where = ("--policy", str(self.shop.policy), "--evidence", f"dir:{self.shop.evidence}")
            code, _ = self.stagepass("verify", image, "--stage", "production", *where)
            wait_until(self._problem, 10)
            admitted = self.ask(self.offline, json.dumps(self.create(image)).encode())
        finally:
            for path, data in kept.items():
                path.write_bytes(data)
            wait_until(lambda: not self._problem(), 10)
        return f"verify exits {code}; webhook keeps the last good set: {admitted}"

    def image(self, name: str = "web", host: str = HOST) -> str:
        """A new image that nobody has attested."""
        return f"{host}/shop/{name}@{Digest.of(secrets.token_bytes(16))}"

    def passed(self, name: str = "web") -> str:
        """A new image that passed test and staging."""
        image = self.image(name)
        return self.store(image, *passes(image))

    def store(self, image: str, *bundles: bytes) -> str:
        """`image`, once these bundles lie in the directory."""
        stored(self.shop.evidence, list(bundles), digest_of(image))
        return image

    def pushed(self, *bundles: Callable[[str], bytes], **options: Any) -> str:
        """A new image in the registry, with these bundles beside it."""
        digest = self.registry.push_image("shop/web", secrets.token_bytes(8))
        image = f"{self.registry.host}/shop/web@{digest}"
        for make in bundles:
            self.registry.attach("shop/web", digest, make(image), **options)
        return image

    def filled(self, text: str) -> str:
        """`text` with the digest of an attested image for `{D}`, of another for `{U}`."""
        digests = {"D": self.passed, "U": self.image}
        found = {n: make().partition("@")[2] for n, make in digests.items() if f"{{{n}}}" in text}
        for name, digest in found.items():
            text = text.replace(f"{{{name}}}", digest)
        return text

    @staticmethod
    def create(*images: str, **more: Any) -> Json:
        """The review of a new Pod in the place of the attack; `more` as in `reviews.create`."""
        return create(*images, **more)

    @staticmethod
    def pod(*images: str, metadata: Json | None = None, **spec: Any) -> Json:
        """A Pod with more in its spec and its metadata."""
        pod = workload(pod_spec(*images, **spec))
        pod["metadata"].update(metadata or {})
        return pod

    def created(self, *images: str, metadata: Json | None = None, **spec: Any) -> Json:
        """The review of such a Pod."""
        return review(self.pod(*images, metadata=metadata, **spec))

    def _problem(self) -> bool:
        return all(bool(s.get("/readyz").json["problem"]) for s in (self.offline, self.online))


def now() -> datetime:
    """What the gates take for now as well."""
    return datetime.now(UTC)


def passes(image: str) -> list[bytes]:
    """What opens production, signed now."""
    return [pass_of_test(image), pass_of_staging(image)]


def pass_of_test(image: str, **more: Any) -> bytes:
    """That it passed test."""
    return signed_pass("test", digest=digest_of(image), **{"at": now(), **more})


def pass_of_staging(image: str, **more: Any) -> bytes:
    """That it passed staging."""
    return signed_pass("staging", digest=digest_of(image), **{"at": now(), **more})


def _revoked() -> bytes:
    entries = [Entry("artifact", REVOKED.hex, "CVE-2026-0001")]
    listed = RevocationList.of(1, now() - HOUR, now() + DAY, entries)
    payload = compose(
        name="revocations",
        digest=listed.digest,
        predicate_type=REVOCATION_LIST,
        predicate=strictjson.dumps(json.loads(listed.compose())),
    )
    return signed(payload, "security")


def _codes_of(line: Json) -> set[str]:
    return {v["code"] for v in line["violations"]} | set(line["notes"])


def _said(decision: str, codes: set[str]) -> str:
    return " ".join([decision, *sorted(codes)])
