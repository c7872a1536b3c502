"""What is told of drift, once and without values; and what is taken back from whoever changed it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from applier import watching
from applier.drift import Drift, forced
from applier.failure import Failure, Reason
from applier.goal import Rendered
from applier.health import Health, Status
from applier.plan import Fields, Plan
from applier.ran import Ran
from applier.records_status import events, status_of
from applier.records_wishes import Record, Wishes
from applier.soak import Soak
from applier.state import State
from stagepass.manifest import ObjectId
from stagepass.predicates.named_release import NamedRelease
from tests.applier.released import VERSION, Place
from tests.release.samples import CONFIG, DEPLOYMENT, SECRET, altered
from tests.world import DIGEST, DROP, HOUR, NOW, OTHER_DIGEST

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
        revision = self.place.policy.revision
        return self.drift.news(self.place.application, self.target, found, planned, state, revision)

    def is_unlike(
        self,
        found: Mapping[ObjectId, dict[str, Any]],
        planned: Plan = NOTHING,
        state: State = STATE,
    ) -> bool:
        revision, of = self.place.policy.revision, self.place.application
        return self.drift.is_unlike(of, self.target, found, planned, state, revision)

    def differing(self, found: Mapping[ObjectId, dict[str, Any]]) -> Fields:
        revision = self.place.policy.revision
        return self.drift.differing(self.place.application, self.target, found, revision)


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


def test_nothing_passes_and_no_soak_lasts_while_something_is_not_as_released(
    tmp_path: Path,
) -> None:
    """What the pass would move on is a combination that never ran."""
    look = Look(tmp_path)
    env = [{"name": "LD_PRELOAD", "value": "/lib/x.so"}]
    altered_by_others = altered(
        look.target.objects[0], spec__template__spec__containers__0__env=env
    )
    as_released = live(*look.target.objects)
    changed = live(altered_by_others, *look.target.objects[1:], version="2")
    seen = watching.Look(Health(Status.CURRENT), (), {})
    soak = watching.looked(Soak(), seen, NOW - HOUR, look.differing(as_released))
    watching.judge(seen, soak, timedelta(), NOW)

    differing = look.differing(changed)
    soak = watching.looked(soak, seen, NOW, differing)
    with pytest.raises(Failure) as caught:
        watching.judge(seen, soak, timedelta(), NOW, differing)

    assert caught.value.reason is Reason.NOT_AS_RELEASED
    assert caught.value.objects == ("apps/Deployment/shop/checkout",)
    assert "spec.template.spec.containers[0].env" in caught.value.message
    assert "LD_PRELOAD" not in caught.value.message
    assert soak.since is None
    soak = watching.looked(soak, seen, NOW, look.differing(as_released))
    assert soak.since == NOW, "what ran before the change is no soak of what runs after it"


def test_what_is_out_of_scope_keeps_nothing_from_passing(tmp_path: Path) -> None:
    look = Look(tmp_path, {"pipeline.stages.2.release": {**RULE, "kinds": ["Pod"]}})
    changed = altered(look.target.objects[1], data__colour="red")

    assert look.differing(live(look.target.objects[0], changed)) == {}


def test_what_was_equal_is_compared_again_under_another_policy(tmp_path: Path) -> None:
    rule = {**RULE, "allow": [ALLOWED]}
    look = Look(tmp_path / "a", {"pipeline.stages.2.release": rule})
    strict = Look(tmp_path / "b")
    changed = live(altered(look.target.objects[1], data__colour="red"))
    strict.drift = look.drift

    assert look.differing(changed) == {}
    assert list(strict.differing(changed).values()) == [("data[colour]",)]


def release_rule(**members: Any) -> dict[str, Any]:
    return {"pipeline.stages.2.release": {**RULE, **members}}


@pytest.mark.parametrize(
    ("changes", "state", "index", "edit", "is_forced"),
    [
        ({}, STATE, 1, {"data__colour": "red"}, True),
        ({}, State(applied=VERSION), 1, {"data__colour": "red"}, False),
        ({"pipeline.stages.2.manifests": "warn"}, STATE, 1, {"data__colour": "red"}, False),
        (release_rule(allow=[ALLOWED]), STATE, 1, {"data__colour": "red"}, False),
        (release_rule(allow=[ALLOWED]), STATE, 1, {"data__size": "9", "data__colour": "red"}, True),
        (release_rule(kinds=["Pod"]), STATE, 1, {"data__colour": "red"}, False),
        ({}, STATE, 0, {"spec__replicas": 9}, False),
        ({}, STATE, 0, {"spec__replicas": 9, "spec__paused": True}, True),
    ],
    ids=[
        *("in scope", "unreleased", "only told", "opened", "beside what is opened"),
        *("out of scope", "replicas", "not replicas alone"),
    ],
)
def test_only_what_a_required_release_says_is_taken_back(
    tmp_path: Path,
    changes: Mapping[str, Any],
    state: State,
    index: int,
    edit: Mapping[str, Any],
    is_forced: bool,
) -> None:
    look = Look(tmp_path, changes)
    wanted = look.target.objects[index]
    found = live(altered(wanted, **edit))

    planned, force = forced(look.place.application, state, Plan(update=(wanted,)), found)

    assert force == (frozenset(found) if is_forced else frozenset())
    if "allow" not in str(changes) or not is_forced:
        assert planned.update == (wanted,)


def test_what_policy_opens_is_never_written_by_force(tmp_path: Path) -> None:
    opened = [
        {"kinds": ["apps/Deployment"], "pointer": pointer, "reason": "a test"}
        for pointer in (
            "/spec/replicas",
            "/spec/template/spec/containers/name=proxy/resources",
            "/spec/template/spec/containers/*/args/1",
        )
    ]
    look = Look(tmp_path, release_rule(allow=opened))
    limits = {"limits": {"memory": "1Gi"}}
    wanted = altered(look.target.objects[0], spec__template__spec__containers__1__resources=limits)
    web, proxy = wanted["spec"]["template"]["spec"]["containers"]
    theirs = {**proxy, "resources": {"limits": {"memory": "4Gi"}}}
    edits = {
        "spec__replicas": 9,
        "spec__template__spec__containers": [theirs, {**web, "args": ["--help", "9"]}],
    }
    found = live(altered(wanted, **edits), version="7")

    planned, force = forced(look.place.application, STATE, Plan(update=(wanted,)), found)

    (written,) = planned.update
    assert force == frozenset(found)
    assert written["metadata"]["resourceVersion"] == "7", "and what is written meanwhile is kept"
    assert written["spec"]["replicas"] == 9
    assert written["spec"]["template"]["spec"]["containers"] == [
        {**web, "args": ["--port", "9"]},
        theirs,
    ]
    gone = altered(wanted, spec__replicas=DROP, spec__paused=True)
    (kept,) = forced(look.place.application, STATE, Plan(update=(wanted,)), live(gone))[0].update
    assert "replicas" not in kept["spec"]


def test_where_an_opened_item_cannot_be_told_nothing_is_forced(tmp_path: Path) -> None:
    pointer = "/spec/template/spec/containers/name=web/args/1"
    opened = {"kinds": ["apps/Deployment"], "pointer": pointer, "reason": "a test"}
    look = Look(tmp_path, release_rule(allow=[opened]))
    wanted = look.target.objects[0]
    found = live(altered(wanted, spec__template__spec__containers__0__args=["--help"]))

    plan = Plan(update=(wanted,))

    assert forced(look.place.application, STATE, plan, found) == (plan, frozenset())


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


@pytest.mark.parametrize(
    ("change", "unlike"),
    [
        ({}, False),
        ({"data__colour": "pink"}, True),
        ({"data__more": "x"}, True),
    ],
)
def test_what_differed_in_scope_was_not_the_release(
    tmp_path: Path, change: dict[str, Any], unlike: bool
) -> None:
    look = Look(tmp_path)
    others = [each for each in look.target.objects if each["kind"] != "ConfigMap"]
    (config,) = (each for each in look.target.objects if each["kind"] == "ConfigMap")
    found = live(*others, altered(config, **change))

    assert look.is_unlike(found) is unlike
    assert not look.is_unlike(found, state=State(applied=VERSION)), "no release runs"
    assert look.is_unlike(found, Plan(create=(dict(CONFIG),))), "it was gone"


def test_what_was_lost_takes_no_job_along_that_has_ended() -> None:
    """Its Pods may be gone by now: it would never be seen to end again."""
    ended = Ran(OTHER_DIGEST, frozenset(), {}, frozenset({"job"}))
    serves = Ran(DIGEST, frozenset(), {"pod": 0}, frozenset())
    soak = Soak().looked(NOW, True, {OTHER_DIGEST: ended, DIGEST: serves}, gap=watching.GAP)

    lost = watching.lost(soak, NOW)

    assert lost.since is None
    assert set(lost.seen) == {OTHER_DIGEST}
