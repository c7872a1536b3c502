"""Whose logs and time stamp authorities may say when a key signed: of those roots that the key names."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.diff import diff
from stagepass.policy.lint import lint
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.predicates.revocation import Entry
from stagepass.trustedtime import TrustedTimes
from tests.keyless.keyed import altered, proven, root_of
from tests.keyless.world import trust_root
from tests.policy.signed import ATTESTORS, beside, revocation_list
from tests.simulators.sigstore import Windows
from tests.world import DAY, HOUR, NOW, STAGING, judged, policy_set, signed_pass, signer

BY = "test-cluster"
ENDED = NOW - DAY
PASS = signed_pass("test", at=NOW - HOUR)
ROOTS = {"acme": root_of("acme"), "lab": root_of("lab")}
KEY = "attestors.test-cluster.keys.0"
AT = "policy.yaml: attestors.test-cluster.keys[0]"


def shop(
    key: dict[str, Any] | None = None,
    *entries: Entry,
    roots: dict[str, bytes] | None = None,
    changes: dict[str, Any] | None = None,
) -> PolicySet:
    """The shop that trusts two roots, its key of `test` changed, and what these entries revoke."""
    held = ROOTS if roots is None else roots
    documents = [{"kind": "Attestors", "trustRoots": [trust_root(n, t) for n, t in held.items()]}]
    extra = {f"trust/{name}.json": text.decode() for name, text in held.items()}
    if entries:
        documents += [{"kind": "Revocations", "file": "revoked.json", "from": ["security"]}]
        extra["revoked.json"] = revocation_list(*entries).decode()
    changed = {f"{KEY}.{name}": value for name, value in (key or {}).items()}
    altered_ = {**ATTESTORS, **changed, **(changes or {})}
    return policy_set(altered_, extra={**beside(*documents), **extra})


def counts(policy: PolicySet, bundle: bytes) -> bool:
    """Whether it lets the image into staging."""
    return judged(policy, [bundle], STAGING).answer is Answer.ADMITTED


def dated(at: datetime, instance: str, log: str | None = None, bundle: bytes = PASS) -> bytes:
    return proven(bundle, BY, at, log=log, instance=instance)


@pytest.mark.parametrize("log", [None, "v1"])
class TestDatedBack:
    """The thief of a key signs today, and whoever runs a private instance says that it was long ago."""

    def test_an_ended_key_is_dated_by_its_own_roots_alone(self, log: str | None) -> None:
        ended = {"validUntil": format_time(ENDED)}
        early = ENDED - DAY

        assert not counts(shop({**ended, "trustRoots": ["acme"]}), dated(early, "lab", log))
        assert counts(shop({**ended, "trustRoots": ["acme"]}), dated(early, "acme", log))
        assert counts(shop({**ended, "trustRoots": ["acme", "lab"]}), dated(early, "lab", log))

    def test_so_is_a_revoked_one(self, log: str | None) -> None:
        key_id = signer(BY).private.public.id
        stolen = Entry("key", key_id, "stolen", compromised_since=ENDED)
        early = ENDED - DAY

        assert not counts(shop({"trustRoots": ["acme"]}, stolen), dated(early, "lab", log))
        assert counts(shop({"trustRoots": ["acme"]}, stolen), dated(early, "acme", log))

    def test_one_that_names_no_root_is_dated_by_each_of_the_set(self, log: str | None) -> None:
        """Not stopped, and told by lint."""
        ended = {"validUntil": format_time(ENDED)}

        assert counts(shop(ended), dated(ENDED - DAY, "lab", log))


def test_what_another_root_says_is_no_time_and_no_refusal() -> None:
    """Not even where it is a lie: it is nobody of whom the key's policy asks anything."""
    bound = shop({"trustRoots": ["acme"], "validUntil": format_time(ENDED)})
    both = dated(NOW, "lab", bundle=dated(ENDED - DAY, "acme"))
    proofs = json.loads(dated(NOW, "lab", bundle=signed_pass("test", at=NOW - 2 * HOUR)))
    name = "timestampVerificationData"
    moved = altered(PASS, {name: proofs["verificationMaterial"][name]})

    assert counts(bound, both)
    assert not counts(shop({"validUntil": format_time(ENDED)}), both)
    assert counts(shop({"trustRoots": ["acme"]}), moved)
    assert not counts(shop(), moved)


def test_a_root_of_the_key_that_is_over_is_helped_by_its_successor_alone() -> None:
    """Two files of one instance: what the old one no longer says, the new one does, if the key names it."""
    old = root_of("acme", Windows(tsa=(None, NOW - 3 * DAY)))
    grown = {"old": old, "new": root_of("acme")}
    bundle = dated(NOW - HOUR, "acme")

    assert counts(shop({"trustRoots": ["old", "new"]}, roots=grown), bundle)
    assert not counts(shop({"trustRoots": ["old"]}, roots=grown), bundle)


class TestLoading:
    def errors(self, **how: Any) -> list[str]:
        with pytest.raises(PolicyError) as caught:
            shop(**how)
        return list(map(str, caught.value.errors))

    def test_a_root_that_nobody_defines(self) -> None:
        assert self.errors(key={"trustRoots": ["acmee"]}) == [
            f"{AT}.trustRoots[0]: no trust root is called 'acmee' (did you mean 'acme'?)"
        ]

    @pytest.mark.parametrize(
        "other", [{}, {"trustRoots": ["lab"]}, {"trustRoots": ["acme", "lab"]}]
    )
    def test_a_key_that_stands_twice_says_the_same(self, other: dict[str, Any]) -> None:
        again = {"file": "keys/test-cluster.pub", "owner": BY, **other}
        (error,) = self.errors(
            key={"trustRoots": ["acme"]}, changes={"attestors.twin": {"keys": [again]}}
        )

        assert "this key has other trustRoots than here already" in error
        assert f"({AT})" in error
        same = {**again, "trustRoots": ["acme"]}
        assert shop({"trustRoots": ["acme"]}, changes={"attestors.twin": {"keys": [same]}})


class TestLint:
    def unbound(self, *how: Any, **more: Any) -> list[str]:
        """What is said, but of the key of staging, which always has a window."""
        findings = lint(shop(*how, **more), now=NOW)
        found = [each for each in findings if each.rule == "trust-root-not-bound"]
        return [each.message for each in found if each.where != "attestor staging-cluster"]

    @pytest.mark.parametrize("name", ["validFrom", "validUntil"])
    def test_a_key_with_a_window_names_who_dates_it(self, name: str) -> None:
        window = {name: format_time(NOW - DAY)}

        assert self.unbound(window) == [
            (
                "any of the trust roots acme, lab may prove when the key of 'test-cluster' signed;"
                " name those whose authorities it uses with trustRoots"
            )
        ]
        assert self.unbound({**window, "trustRoots": ["acme"]}) == []

    def test_where_something_is_revoked_every_key_does(self) -> None:
        entry = Entry("artifact", "ab" * 32, "bad")

        assert len(self.unbound({}, entry)) > 5
        assert self.unbound() == []

    def test_a_root_that_proves_no_time_is_no_choice(self) -> None:
        mute = root_of("lab", Windows(without=frozenset({"tsa", "v1", "v2"})))
        roots = {"acme": root_of("acme"), "lab": mute}

        assert TrustedTimes(roots).roots == {"acme"}
        assert self.unbound({"validUntil": format_time(NOW - DAY)}, roots=roots) == []


def test_the_diff_shows_it() -> None:
    one, two = shop({"trustRoots": ["acme"]}), shop({"trustRoots": ["lab"]})

    assert [(str(c.effect), c.message) for c in diff(one, two)] == [
        ("changed", "trustRoots: acme is gone"),
        ("changed", "trustRoots: lab is added"),
    ]
    assert [(str(c.effect), c.message) for c in diff(shop(), one)] == [
        ("changed", "trustRoots: acme, was all")
    ]
