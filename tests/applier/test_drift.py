"""What is told of drift, once and without values; and what is taken back from whoever changed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from applier.drift import Drift, Fields, forced
from applier.goal import Rendered
from applier.plan import Plan
from applier.records_status import events, status_of
from applier.records_wishes import Record, Wishes
from applier.state import State
from stagepass.manifest import ObjectId
from stagepass.predicates.named_release import NamedRelease
from tests.applier.released import VERSION, Place
from tests.release.samples import CONFIG, DEPLOYMENT, SECRET, altered
from tests.world import DIGEST, NOW, OTHER_DIGEST

STATE = State(applied=VERSION, release=NamedRelease(DIGEST, OTHER_DIGEST))
NOTHING = Plan()
ALLOWED = {"kinds": ["ConfigMap"], "pointer": "/data/colour", "reason": "a test"}
RULE = {"from": ["ci"], "secrets": "salted"}


def live(*objects: Mapping[str, Any], version: str = "1") -> dict[ObjectId, dict[str, Any]]:
    """As a server shows them."""
    return {ObjectId.of(each): altered(each, metadata__resourceVersion=version) for each in objects}


class Look:
    """One application's drift, look after look."""

    def __init__(self, root: Path, changes: Mapping[str, Any] | None = None) -> None:
        self.place = Place(root, {"pipeline.stages.2.release": RULE, **(changes or {})})
        self.wanted = (DEPLOYMENT, CONFIG, altered(SECRET, data={"password": "aHVudGVyMg=="}))
        self.target = Rendered(VERSION, tuple(self.place.prepared(self.wanted)))
        self.drift = Drift()

    def news(
        self,
        found: Mapping[ObjectId, dict[str, Any]],
        planned: Plan = NOTHING,
        state: State = STATE,
    ) -> Fields | None:
        return self.drift.news(self.place.application, self.target, found, planned, state)


def test_nothing_is_told_of_what_is_as_it_was_applied(tmp_path: Path) -> None:
    look = Look(tmp_path)

    assert not look.news(live(*look.target.objects))


def test_what_others_changed_and_added_is_told_once(tmp_path: Path) -> None:
    look = Look(tmp_path)
    changed = live(
        altered(look.target.objects[0], spec__template__spec__hostNetwork=True),
        altered(look.target.objects[1], data__colour="red"),
        *look.target.objects[2:],
    )
    deployment, config, _ = changed
    told = {
        deployment: ("spec.template.spec.hostNetwork",),
        config: ("data[colour]",),
    }

    assert look.news(changed) == told
    assert look.news(changed) is None
    assert look.news(live(*look.target.objects, version="2")) == {}
    assert look.news(changed) == told


def test_no_value_of_a_secret_is_told(tmp_path: Path) -> None:
    look = Look(tmp_path)
    changed = live(*look.target.objects[:2], altered(look.target.objects[2], data__password="eA=="))

    assert str(look.news(changed)).count("password") == 2  # its name, and the key
    assert "eA==" not in str(look.drift.__dict__)


def test_what_is_gone_and_what_an_apply_would_change_is_told_without_releases(
    tmp_path: Path,
) -> None:
    look = Look(tmp_path, {"pipeline.stages.2.manifests": "off"})
    deployment, config = map(ObjectId.of, look.target.objects[:2])
    planned = Plan(create=look.target.objects[:1], fields={config: (".data",)})

    assert look.news({}, planned, State(applied=VERSION)) == {deployment: (), config: ("data",)}


@pytest.mark.parametrize(
    ("changes", "state", "paths", "is_forced"),
    [
        ({}, STATE, (".data",), True),
        ({}, State(applied=VERSION), (".data",), False),
        ({"pipeline.stages.2.manifests": "warn"}, STATE, (".data",), False),
        ({"pipeline.stages.2.release": {**RULE, "allow": [ALLOWED]}}, STATE, (".data",), False),
        ({"pipeline.stages.2.release": {**RULE, "kinds": ["Pod"]}}, STATE, (".data",), False),
        ({}, STATE, (".spec.replicas",), False),
    ],
    ids=["in scope", "unreleased", "only told", "opened", "out of scope", "replicas"],
)
def test_only_what_a_required_release_says_is_taken_back(
    tmp_path: Path,
    changes: Mapping[str, Any],
    state: State,
    paths: tuple[str, ...],
    is_forced: bool,
) -> None:
    look = Look(tmp_path, changes)
    config = ObjectId.of(CONFIG)

    found = forced(look.place.application, state, Plan(fields={config: paths}))

    assert found == (frozenset({config}) if is_forced else frozenset())


def test_the_application_says_which_release_runs_and_that_none_does() -> None:
    record = Record("shop", "uid", "", 1, "shop", "production", Wishes())
    signed = status_of(record, STATE, NOW)
    none = status_of(record, State(applied=VERSION, unreleased="not signed"), NOW)

    assert signed["release"] == {"digest": str(DIGEST), "imageSet": str(OTHER_DIGEST)}
    assert _released(signed) == ("True", "Signed", str(DIGEST))
    assert _released(none) == ("False", "RELEASE_MISSING", "not signed")
    assert ("Unreleased", "not signed") in {(e.reason, e.message) for e in events(signed, none)}
    assert "Unreleased" not in {e.reason for e in events(none, none)}
    assert _released(status_of(record, State(applied=VERSION), NOW)) is None


def _released(status: Mapping[str, Any]) -> tuple[str, str, str] | None:
    found = [e for e in status["conditions"] if e["type"] == "Released"]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else None
