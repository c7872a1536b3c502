"""The watcher by itself, polled by the test."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stagepass.policy.model import PolicySet
from stagepass.policy.store import sign_directory
from stagepass.signing import PrivateKey
from stagepass.verifier import Verifier
from tests.webhook.shop import Shop
from tests.world import DAY
from webhook.policies import Policies


def _policies(shop: Shop) -> Policies:
    policies = Policies(shop.policy, lambda policy: Verifier(policy, []))
    policies.poll()
    assert policies.problem == ""
    return policies


def _look(policies: Policies) -> None:
    """A change is believed once two polls in a row have seen it."""
    policies.poll()
    policies.poll()


def test_half_of_a_change_is_never_in_force(shop: Shop) -> None:
    """A set is replaced file by file, a poll falls in between: two polls must agree."""
    policies = _policies(shop)
    shop.write(shop.variant({"defaults.unlisted": "warn"}))
    policies.poll()
    in_between = policies.verifier

    shop.write(shop.variant({"defaults.unlisted": "audit"}))
    policies.poll()
    assert policies.verifier is in_between

    policies.poll()
    assert policies.verifier is not in_between


def test_the_reason_told_is_that_of_the_files_as_they_are(shop: Shop) -> None:
    """Broken, unreadable, then broken as before: the first reason is true again."""
    policies, link = _policies(shop), shop.policy / "link.yaml"
    shop.write("kind: Nonsense")
    _look(policies)
    broken = policies.problem
    assert "Nonsense" in broken

    link.symlink_to("nowhere")
    _look(policies)
    assert "nowhere" in policies.problem

    link.unlink()
    _look(policies)
    assert policies.problem == broken


def test_a_set_that_comes_back_is_no_news(shop: Shop) -> None:
    """The verifier stays the same one, with all that it has cached."""
    policies = _policies(shop)
    before = policies.verifier
    shop.write("kind: Nonsense")
    _look(policies)
    assert policies.problem

    shop.write(shop.text)
    _look(policies)

    assert policies.verifier is before
    assert policies.problem == ""


def test_a_verifier_that_cannot_be_made_leaves_the_old_one_in_force(shop: Shop) -> None:
    """Whatever goes wrong, by an error of ours too."""
    made: list[Verifier] = []

    def make_once(policy: PolicySet) -> Verifier:
        if made:
            raise KeyError("no second one")
        made.append(Verifier(policy, []))
        return made[0]

    policies = Policies(shop.policy, make_once)
    policies.poll()
    shop.write(shop.variant({"defaults.unlisted": "warn"}))

    _look(policies)

    assert policies.verifier is made[0]
    assert "no second one" in policies.problem


def test_a_signed_set_near_its_end_is_told_once(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """From 80 % of its life: after its end every answer is undetermined."""
    root, now = PrivateKey.generate(), datetime.now(UTC)
    sign_directory(shop.policy, root, issued=now - 9 * DAY, expires=now + DAY)
    policies = Policies(shop.policy, lambda policy: Verifier(policy, []), root.public)

    for _ in range(3):
        policies.poll()

    assert policies.problem == ""
    assert capsys.readouterr().out.count('"policy.expiring"') == 1


def test_a_young_signed_set_is_no_news(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    root, now = PrivateKey.generate(), datetime.now(UTC)
    sign_directory(shop.policy, root, issued=now - DAY, expires=now + DAY)
    policies = Policies(shop.policy, lambda policy: Verifier(policy, []), root.public)

    policies.poll()

    assert policies.problem == ""
    assert "policy.expiring" not in capsys.readouterr().out
