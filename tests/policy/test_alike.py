"""Which identities are compared: all that overlap, and of many few others."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.identity import Glob, Identity
from stagepass.policy.alike import alike
from stagepass.policy.load import PolicyError
from tests.core.test_identity import IDENTITIES
from tests.keyless.world import keyless, policy, refusal
from tests.property.worlds import LAW

ISSUER = "https://one.example"
URL = "https://github.com/acme"


@LAW
@given(st.lists(IDENTITIES, max_size=8), st.data())
def test_no_pair_of_two_owners_that_overlaps_is_left_out(
    identities: list[Identity], data: st.DataObject
) -> None:
    owners = [data.draw(st.sampled_from("ab")) for _ in identities]
    pairs = [(i, j) for i, others in alike(identities, owners) for j in others]
    told = {(min(pair), max(pair)) for pair in pairs}
    overlapping = {
        (i, j)
        for j, other in enumerate(identities)
        for i, one in enumerate(identities[:j])
        if owners[i] != owners[j] and one.overlaps(other)
    }

    assert overlapping <= told
    assert len(pairs) == len(told)
    assert all(owners[i] != owners[j] for i, j in pairs)


@pytest.mark.parametrize(
    "identities",
    [
        [Identity(ISSUER, Glob(f"{URL}/svc{i:04}/**")) for i in range(1000)],
        [Identity(ISSUER, Glob(f"{URL}/svc{i}@main")) for i in range(1000)],
        [Identity(ISSUER, Glob(f"https://github.com/*/svc{i}/*@**")) for i in range(1000)],
        [Identity(ISSUER, Glob(f"**/release.yml@refs/heads/b{i:04}")) for i in range(1000)],
        [Identity(ISSUER, Glob(f"{URL}/**"), {"repository": Glob(str(i))}) for i in range(1000)],
        [Identity(f"{ISSUER}/{i}", Glob("**")) for i in range(1000)],
    ],
    ids=["patterns", "exact", "segments", "ends", "one workflow, called from many", "issuers"],
)
def test_of_a_thousand_that_differ_none_are_compared(identities: list[Identity]) -> None:
    owners = [str(i) for i in range(len(identities))]
    assert [other for _, others in alike(identities, owners) for other in others] == []


def test_a_set_of_a_thousand_identities_loads_in_a_second() -> None:
    """Each against each took 34 seconds, most of them to widen both again."""
    many = [
        {"subject": f"{URL}/svc{i}/release.yml@*", "owner": f"o{i}", "trustRoots": ["public-good"]}
        for i in range(1000)
    ]
    policy()
    started = process_time()
    loaded = policy(*many)

    assert len(loaded.attestors["release"].keys) == 1000
    assert process_time() - started < 1


@pytest.mark.parametrize("place", ["subject", "claims"])
def test_thousands_of_one_owner_load_in_seconds(place: str) -> None:
    """4,000 took 5 seconds, each compared with each for being written twice; of `**` it was 1.6 more."""
    many: list[dict[str, Any]] = [
        {"subject": "**", "claims": {"commit": f"{i}*"}}
        if place == "claims"
        else {"subject": f"**{i}**"}
        for i in range(3000)
    ]
    policy()
    started = process_time()
    loaded = policy(*many)

    assert len(loaded.attestors["release"].keys) == 3000
    assert process_time() - started < 1.5


def test_thousands_that_all_overlap_are_told_in_seconds() -> None:
    many = [{"subject": f"**{i}**", "owner": f"o{i}"} for i in range(4000)]
    policy()
    started = process_time()
    with pytest.raises(PolicyError) as caught:
        policy(*many)

    assert len(caught.value.errors) == 3999
    assert process_time() - started < 3


def test_what_stands_twice_is_told() -> None:
    with pytest.raises(PolicyError) as caught:
        policy({}, {})

    assert [error.message for error in caught.value.errors] == [
        "the identity stands twice in 'release'"
    ]


def test_a_thousand_that_all_overlap_are_told_once_each() -> None:
    many = [{"subject": f"**{i}**", "owner": f"o{i}"} for i in range(300)]
    with pytest.raises(PolicyError) as caught:
        policy(*many)

    assert len(caught.value.errors) == 299


def test_what_cannot_be_told_apart_in_seconds_is_refused() -> None:
    """200 patterns of 1,000 characters, compared each with each, took half a minute."""
    alike_ = f"*/{'a' * 950}/" + "a/" * 10
    hostile = [{"subject": f"{alike_}{i}/*", "owner": f"o{i}"} for i in range(200)]
    started = process_time()
    with pytest.raises(PolicyError) as caught:
        policy(*hostile)

    (error,) = caught.value.errors
    assert error.message.startswith("too many identities are too much alike")
    assert process_time() - started < 10


def test_of_many_the_one_that_a_refusal_explains_is_the_nearest() -> None:
    """It is told among 20 at most, of the same issuer, and first of those whose subject matches."""
    many: list[dict[str, Any]] = [
        {"subject": f"{URL}/svc{i}@*", "owner": f"o{i}"} for i in range(100)
    ]
    many[70]["claims"] = {"environment": "production"}
    code, message = refusal(policy(*many), keyless(subject=f"{URL}/svc70@main"))

    assert code == "SIGNER_UNKNOWN"
    assert message.endswith("; the nearest wants environment 'production' and it has none")
