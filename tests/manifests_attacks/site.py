"""
The shop that is attacked: a policy set that requires manifests, and signed releases in a directory.

`core` judges an object in this process; the same directories feed a real webhook.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stagepass.admission import judge_object
from stagepass.decision import Answer, Decision
from stagepass.digest import Digest
from stagepass.evidence import Deadline
from stagepass.policy.load import load
from stagepass.policy.store import revision_of
from stagepass.predicates.revocation import Entry
from stagepass.release.book import ReleaseBook
from stagepass.release.build import Terms, build
from stagepass.release.model import Release
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource, write_directory
from stagepass.verifier import Verifier
from tests.cluster.shop import HOST, Shop
from tests.core.gated import of_set
from tests.core.objects import request
from tests.manifests.samples import MESH
from tests.manifests_attacks.objects import (
    REVOKED,
    UNPASSED,
    Object,
    alone,
    release_a,
    release_b,
)
from tests.policy.signed import revocation_list
from tests.release.samples import COMMIT, named, payload_of
from tests.world import DAY, signed, signed_pass, signer, stored

CLUSTER = "staging"
TERMS = Terms("shop", "staging", "staging", COMMIT, salted=True)
_KEYS = ("ci", "test-cluster", "staging-cluster", "security", "stranger")
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  ci: {keys: [{file: keys/ci.pub, owner: ci}]}
  test-cluster: {keys: [{file: keys/test-cluster.pub, owner: test-cluster}]}
  staging-cluster: {keys: [{file: keys/staging-cluster.pub, owner: staging-cluster}]}
  security: {keys: [{file: keys/security.pub, owner: security}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: [registry.example.com/shop/**]
stages:
  - name: test
    clusters: [test]
    namespaces: [shop]
    signedBy: [test-cluster]
    manifests: warn
    release: {from: [ci]}
  - name: staging
    clusters: [staging]
    namespaces: ["gate-*"]
    signedBy: [staging-cluster]
    after: [test]
    manifests: required
    release:
      from: [ci]
      secrets: salted
      allow:
        - {kinds: [apps/Deployment], pointer: /spec/replicas, reason: autoscaled}
        - {kinds: [apps/Deployment], pointer: /spec/template/metadata/annotations/rolled, reason: restarts}
        - {container: "MESH", reason: service mesh}
---
apiVersion: stagepass.dev/v1
kind: Revocations
file: revoked.json
from: [security]
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: deny
exempt:
  - {namespaces: ["gate-*"], images: [mesh.example.com/**], reason: mesh, expires: "2126-01-01T00:00:00Z"}
"""


class Site(Shop):
    """
    Releases A and B in every namespace of `namespaces`, of which the last holds no object yet.

    Besides those: one whose image was revoked, and one whose image has not passed `test`.
    """

    def __init__(
        self,
        directory: Path,
        namespaces: Sequence[str] = ("gate-1", "gate-2"),
        *,
        releases: bool = True,
    ) -> None:
        """Without `releases` there are none yet."""
        self.directory, self.host, self.namespaces = directory, HOST, tuple(namespaces)
        self.policy, self.evidence = directory / "policy", directory / "evidence"
        (self.policy / "keys").mkdir(parents=True)
        self.evidence.mkdir()
        for name in _KEYS:
            (self.policy / "keys" / f"{name}.pub").write_bytes(signer(name).public_pem)
        (self.policy / "policy.yaml").write_text(_POLICY.replace("MESH", MESH))
        self.revoke()
        if releases:
            self._release()

    def _release(self) -> None:
        self.a = self.released(n for ns in self.namespaces for n in release_a(ns))
        self.b = self.released(n for ns in self.namespaces for n in release_b(ns))
        self.released(n for ns in self.namespaces for n in alone(ns, REVOKED, "revoked"))
        late = (n for ns in self.namespaces for n in alone(ns, UNPASSED, "unpassed"))
        self.released(late, passed=False)

    def revoke(self, *more: Entry) -> None:
        """Sign the revocation list anew: the one image, and `more`."""
        entry = Entry("artifact", digest_of(REVOKED).hex, "CVE-2026-0001")
        expires = datetime.now(UTC) + DAY
        (self.policy / "revoked.json").write_bytes(revocation_list(entry, *more, expires=expires))

    @property
    def applied(self) -> str:
        """The namespace with the objects of release A."""
        return self.namespaces[0]

    @property
    def empty(self) -> str:
        """The namespace without any object."""
        return self.namespaces[-1]

    def released(
        self,
        objects: Iterable[Object],
        *,
        by: str = "ci",
        terms: Terms = TERMS,
        passed: bool = True,
    ) -> Release:
        """A release, signed and stored; its images have passed `test`, together."""
        release = build(named(list(objects)), terms)
        write_directory(self.evidence, release, signed(payload_of(release), by))
        if passed:
            self.passed(release)
        return release

    def passed(self, release: Release) -> None:
        """Sign that the images of a release passed `test`, as the set that they are."""
        for image in release.statement.images:
            if image.name.startswith(f"{self.host}/shop/"):
                moment = datetime.now(UTC)
                bundle = signed_pass(digest=image.digest, at=moment, changes=of_set(release))
                stored(self.evidence, [bundle], image.digest)

    def attested(self, kind: str, name: str, namespace: str) -> Object:
        """An object of release A, its Secret with the value that was meant."""
        (found,) = (
            o for o in release_a(namespace) if (o["kind"], o["metadata"]["name"]) == (kind, name)
        )
        return found

    def released_at(self, repository: str) -> None:
        """Have the policy name the repository where the releases of `staging` lie."""
        path = self.policy / "policy.yaml"
        rule = "      from: [ci]\n"
        path.write_text(path.read_text().replace(rule, f"{rule}      repository: {repository}\n"))

    def verifier(self, *remote: ReleaseSource) -> Verifier:
        """A gate that was started now; releases come from `remote` where that is given."""
        files = {
            str(path.relative_to(self.policy)): path.read_bytes()
            for path in self.policy.rglob("*")
            if path.is_file()
        }
        policy = load(files, revision_of(files))
        source = ReleaseSource.directory(self.evidence)
        book = ReleaseBook(policy, remote or [source], Shelf())
        return Verifier(policy, [source.bundles], releases=book)

    def judge(
        self, new: Object, old: Object | None = None, *, verifier: Verifier | None = None
    ) -> Decision:
        """The decision on a creation, or on an update of `old`."""
        metadata = new["metadata"]
        more: dict[str, Any] = {
            "operation": "UPDATE" if old else "CREATE",
            # A name that is generated is not in the request, and is in the object.
            "name": "" if "generateName" in metadata else metadata["name"],
            "namespace": metadata["namespace"],
        }
        if old is not None:  # as an API server has it by then, whatever the client sent
            new = {**new, "metadata": {**metadata, "resourceVersion": "2"}}
        asked = request(new, old, **more)
        found = verifier or self.verifier()
        moment = datetime.now(UTC)
        return judge_object(found, CLUSTER, asked, now=moment, deadline=Deadline.after(30))


def said(decision: Decision) -> str:
    """The answer and its codes, as a row expects them."""
    if decision.answer is Answer.ADMITTED:
        return "admitted"
    return worded(str(decision.answer), (str(each.code) for each in decision.violations))


def worded(answer: str, codes: Iterable[str]) -> str:
    """`denied: CODE, …`; both codes of a manifest are one word."""
    found = {"the manifest" if code.startswith("MANIFEST_") else code for code in codes}
    return f"{answer}: {', '.join(sorted(found))}"


def digest_of(image: str) -> Digest:
    """The digest after the `@`."""
    return Digest.parse(image.partition("@")[2])
