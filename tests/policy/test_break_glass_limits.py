"""What break-glass never excuses, and that an admission by it is never kept (B63)."""

from __future__ import annotations

import json

from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.policy.evaluate import wanted
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import BREAK_GLASS
from stagepass.stage import Place
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import (
    ARTIFACT,
    FLOOR,
    GLASS,
    claim,
    emergency,
    revocation_list,
    revoked,
    shop,
)
from tests.world import (
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    SECOND,
    STAGING,
    codes,
    judged,
    signed_pass,
)

SHOP = shop()


def excuses(bundle: bytes, policy: PolicySet = SHOP, place: Place = PROD_EU) -> bool:
    """Whether this alone admits what has no evidence at all."""
    decision = judged(policy, [bundle], place)
    assert (decision.answer is Answer.ADMITTED) is (Code.BREAK_GLASS in decision.notes)
    return decision.answer is Answer.ADMITTED


def test_it_never_excuses_a_tag() -> None:
    tagged = ImageRef.parse("registry.example.com/shop/checkout:1.2")

    assert codes(judged(SHOP, [emergency()], image=tagged)) == ["DIGEST_REQUIRED"]


def test_it_never_excuses_a_revoked_image() -> None:
    assert codes(judged(revoked(revocation_list(ARTIFACT)), [emergency()])) == ["REVOKED"]


def test_it_never_excuses_an_image_that_no_pipeline_covers_or_an_unknown_cluster() -> None:
    foreign = ImageRef.parse(f"docker.io/library/nginx@{DIGEST}")

    assert codes(judged(SHOP, [emergency()], image=foreign)) == ["UNLISTED"]
    assert codes(judged(SHOP, [emergency()], Place("unknown", "shop"))) == ["UNLISTED"]


def test_it_never_excuses_a_baseline() -> None:
    policy = shop({}, FLOOR)
    decision = judged(policy, [emergency()])

    assert (decision.answer, codes(decision)) == (Answer.DENIED, ["REQUIREMENT_MISSING"])
    assert {v.requirement for v in decision.violations} == {"signed: x"}
    met = judged(policy, [emergency(), claim("https://example.com/x", {}, "ci")])
    assert (met.answer, met.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))


def test_it_excuses_its_own_pipeline_and_no_other_over_the_same_place() -> None:
    stage = {"name": "production", "clusters": ["prod-eu"], "namespaces": ["shop"]}
    wants = [{"attestation": {"name": "x", "from": ["ci"], "predicateType": "y"}}]
    other = {
        "kind": "Pipeline",
        "metadata": {"name": "other"},
        "images": ["registry.example.com/**"],
        "stages": [{**stage, "requires": wants, "breakGlass": GLASS}],
    }
    policy = shop({}, other)
    of_other = emergency(changes={"scope.pipeline": "other"})

    assert {v.pipeline for v in judged(policy, [emergency()]).violations} == {"other"}
    assert {v.pipeline for v in judged(policy, [of_other]).violations} == {"shop"}
    both = judged(policy, [emergency(), of_other])
    assert (both.answer, len(both.notices)) == (Answer.ADMITTED, 2)


def test_it_makes_no_pass() -> None:
    archive = {"name": "archive", "clusters": ["archive"], "namespaces": ["shop"]}
    policy = shop({"pipeline.stages.3": {**archive, "after": ["production"]}})
    decision = judged(policy, [emergency(), signed_pass("test")], Place("archive", "shop"))

    assert {v.requirement for v in decision.violations} == {
        *("passed staging@staging", "passed production@prod-eu", "passed production@prod-us")
    }


def test_a_field_of_the_pod_or_of_a_statement_is_no_break_glass() -> None:
    """B63: what is not signed as `break-glass/v1` by the right key is nothing."""
    statement = json.loads(json.dumps({"breakGlass": True, "reason": "x", "decision": "APPROVED"}))
    for kind in ("https://stagepass.dev/attestation/break-glass/v2", BREAK_GLASS + "/", "x"):
        assert not excuses(claim(kind, statement, "carol"))


def test_it_is_looked_for_where_it_may_be_used() -> None:
    assert BREAK_GLASS in wanted(SHOP, IMAGE, PROD_EU)
    assert BREAK_GLASS not in wanted(SHOP, IMAGE, STAGING)


def test_an_admission_by_it_is_never_kept() -> None:
    """Each restart says so again, and the moment it is over nothing is admitted any more."""
    source = MemorySource([emergency(valid_for=HOUR / 2)])
    verifier = Verifier(SHOP, [source], DecisionCache())
    moments = (NOW, NOW + SECOND, NOW + HOUR / 2 - SECOND, NOW + HOUR / 2)
    decisions = [
        verifier.decide(IMAGE, PROD_EU, now=now, deadline=Deadline.after(60)) for now in moments
    ]

    assert [d.notes for d in decisions] == [(Code.BREAK_GLASS,)] * 3 + [()]
    assert all(d.warnings for d in decisions[:3])
    assert decisions[3].answer is Answer.DENIED
    assert [d.valid_until for d in decisions[:3]] == list(moments[:3])
