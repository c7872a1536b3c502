"""
The law of manifests: whatever is asked, what lives is what some release says.

A state machine plays everybody who may write to a namespace. The API server is `model`, the oracle
`changes.in_scope`: neither looks at the table or the rules of `stagepass.manifests`.
"""

from __future__ import annotations

import copy
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stagepass.decision import Answer
from stagepass.errors import InputError
from stagepass.verifier import Verifier
from tests.manifests.samples import IMAGE, an
from tests.manifests_attacks.changes import changed, in_scope
from tests.manifests_attacks.model import Model, Refused, key, served
from tests.manifests_attacks.objects import Object, alone, placed, release_a
from tests.manifests_attacks.site import Site

NAMESPACE = "gate-1"
KINDS = ("Deployment", "Pod", "Service", "ConfigMap", "Role", "NetworkPolicy")
HASH = "7d4b9c6f5d"
randoms: st.SearchStrategy[Random] = st.randoms(use_true_random=False)


def base() -> list[Object]:
    """What a release may be made of."""
    found = [
        each
        for each in release_a(NAMESPACE)
        if each["kind"] in KINDS and each["metadata"]["name"] != "shape"
    ]
    small = {"containers": [{"name": "web", "image": IMAGE}]}
    template = {"metadata": {"labels": {"app": "small"}}, "spec": small}
    spec = {"selector": {"matchLabels": {"app": "small"}}, "template": template}
    return [*found, *placed([an("apps/v1", "Deployment", "small", spec=spec)], NAMESPACE)]


def made_of(owner: Object) -> Object:
    """The Pod that a Deployment's ReplicaSet makes."""
    template = served(owner)["spec"]["template"]
    metadata = copy.deepcopy(template["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), "pod-template-hash": HASH}
    metadata |= {"name": f"{owner['metadata']['name']}-{HASH}-x7k2p", "namespace": NAMESPACE}
    spec = copy.deepcopy(template["spec"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def is_as_released(live: Object, released: list[Object]) -> bool:
    """Whether it is one of a release, or what would be made of one; as the server keeps that."""
    named = [each for each in released if key(each) == key(live)]
    made = [made_of(each) for each in released if each["kind"] == "Deployment"]
    for attested in (*named, *(each for each in made if key(each) == key(live))):
        wanted = served(attested)
        have, want = in_scope(live, attested), in_scope(wanted, attested)
        if attested in made:
            for document in (have, want):
                _as_made(document)
        if have == want:
            return True
    return False


def _as_made(document: Object) -> None:
    """Without what a controller may write, and what the allow-list opens in the owner's template."""
    document["metadata"]["annotations"].pop("rolled", None)
    document["metadata"]["labels"].pop("pod-template-hash", None)


class Updates(RuleBasedStateMachine):
    """Releases are signed, objects are created, changed and deleted, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.model, self.released, self.admitted = Model(), list[Object](), 0

    @initialize()
    def begin(self) -> None:
        self.site = Site(Path(self.directory.name), [NAMESPACE], releases=False)
        self.objects = base()
        self.verifier: Verifier = self.site.verifier()
        self._release(self.objects)

    @rule(random=randoms)
    def release(self, random: Random) -> None:
        """The next one: some objects of before, changed, as far as an API server would take them."""
        if len(self.released) < 60:
            with suppress(InputError):
                self._release([self._next(each, random) for each in self.objects])

    @rule(random=randoms)
    def as_released(self, random: Random) -> None:
        """What an applier and controllers do; it is admitted, or the law would hold of nothing."""
        document = copy.deepcopy(random.choice(self.released))
        if document["kind"] == "Deployment" and random.random() < 0.4:
            document = made_of(document)
        document["metadata"].setdefault("annotations", {})[
            "kubectl.kubernetes.io/last-applied-configuration"
        ] = "{}"
        assert self._send(document), document

    @rule(random=randoms)
    def otherwise(self, random: Random) -> None:
        """A new object, changed."""
        document = copy.deepcopy(random.choice(self.released))
        if document["kind"] == "Deployment" and random.random() < 0.4:
            document = made_of(document)
        self._send(changed(document, random))

    @precondition(lambda self: self.model.stored)
    @rule(random=randoms)
    def update(self, random: Random) -> None:
        """What lives, changed."""
        live = random.choice([*self.model.stored.values()])
        self._send(changed(live, random))

    @precondition(lambda self: self.model.stored)
    @rule(random=randoms)
    def mix(self, random: Random) -> None:
        """Half of one release, half of another."""
        live = random.choice([*self.model.stored.values()])
        others = [each for each in self.released if key(each) == key(live) and each != live]
        if others:
            other, name = (
                random.choice(others),
                random.choice(["spec", "data", "rules", "metadata"]),
            )
            if name in other and name in live:
                self._send({**live, name: _merged(live[name], other[name], random)})

    @precondition(lambda self: self.model.stored)
    @rule(random=randoms)
    def delete(self, random: Random) -> None:
        """Nobody is asked."""
        del self.model.stored[random.choice([*self.model.stored])]

    @invariant()
    def what_lives_was_released(self) -> None:
        for live in self.model.stored.values():
            assert is_as_released(live, self.released), live

    def teardown(self) -> None:
        self.directory.cleanup()

    @staticmethod
    def _next(document: Object, random: Random) -> Object:
        """A version with some changes; a member that no server keeps makes a release of nothing."""
        for _ in range(random.choice((0, 3, 6))):
            found = changed(document, random)
            with suppress(Refused, KeyError, TypeError, AttributeError):
                spec = made_of(found)["spec"] if found["kind"] == "Deployment" else {}
                if spec.get("containers", True):
                    document = served(found)
        return document

    def _release(self, objects: list[Object]) -> None:
        self.site.released([*objects, *alone(NAMESPACE, IMAGE, "always")])
        self.released += copy.deepcopy(objects)
        self.objects = objects

    def _send(self, document: Object) -> bool:
        try:
            if key(document)[0] not in KINDS:
                return False
            new, old = self.model.request(document)
        except (Refused, KeyError, TypeError, AttributeError):
            return False
        if self.site.judge(new, old, verifier=self.verifier).answer is not Answer.ADMITTED:
            return False
        self.model.store(new)
        return True


def _merged(left: Any, right: Any, random: Random) -> Any:
    """Each member from one of both."""
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return copy.deepcopy(random.choice([left, right]))
    return {
        name: _merged(left.get(name, right.get(name)), right.get(name, left.get(name)), random)
        for name in {**left, **right}
        if name in left or random.random() < 0.5
    }


Updates.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestUpdates = Updates.TestCase
