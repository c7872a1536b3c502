"""A Secret's values never leave."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from stagepass.errors import InputError
from stagepass.manifests.secrets import is_value_of
from stagepass.release.build import Commit
from stagepass.release.model import Release
from tests.release.samples import (
    COMMIT,
    CONFIG,
    SALTED,
    SECRET,
    a_release,
    altered,
    payload_of,
    statement_of,
)
from tests.world import DROP

NAME = "v1/Secret/shop/password"
VALUE = base64.b64encode(b"hunter2").decode()


def data_of(release: Release) -> dict[str, Any]:
    (secret,) = (each for each in release.objects.values() if each["kind"] == "Secret")
    found: dict[str, Any] = secret["data"]
    return found


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        altered(SECRET, stringData=DROP, data={"password": VALUE}),
        altered(SECRET, stringData={}, data={"password": VALUE}),
        altered(SECRET, stringData={"password": 7}),
        altered(SECRET, stringData="hunter2"),
        altered(SECRET, stringData=DROP, data="hunter2"),
    ],
)
def test_a_secret_with_values_is_refused(secret: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is a Secret with values") as raised:
        a_release(CONFIG, secret)
    assert "hunter2" not in str(raised.value)
    assert VALUE not in str(raised.value)


def test_a_secret_without_values_is_an_object_like_others() -> None:
    release = a_release(altered(SECRET, stringData=DROP))

    assert "data" not in next(iter(release.objects.values()))


def test_what_kubectl_noted_of_a_secret_is_refused_even_salted() -> None:
    noted = {"kubectl.kubernetes.io/last-applied-configuration": '{"stringData":"hunter2"}'}

    with pytest.raises(InputError, match="in the annotation") as raised:
        a_release(altered(SECRET, metadata__annotations=noted), terms=SALTED)
    assert "hunter2" not in str(raised.value)


def test_a_salted_value_is_made_by_the_book() -> None:
    release = a_release(SECRET, terms=SALTED)
    salt = hashlib.sha256(rfc8785.dumps([COMMIT.uri, COMMIT.commit, NAME, "password"])).hexdigest()
    text = rfc8785.dumps(["stagepass.dev/salted/v1", salt, VALUE])

    expected = {"$salted": f"sha256:{hashlib.sha256(text).hexdigest()}", "salt": salt}
    assert data_of(release) == {"password": expected}
    for content in (release.data, release.statement.resource_list, payload_of(release)):
        assert b"hunter2" not in content
        assert VALUE.encode() not in content


def test_a_salted_release_is_read_back() -> None:
    release = a_release(SECRET, CONFIG, terms=SALTED)

    assert Release.load(statement_of(release), release.data) == release


@given(st.binary(), st.binary())
def test_a_salted_value_tells_the_value_from_every_other(one: bytes, other: bytes) -> None:
    text, wrong = (base64.b64encode(each).decode() for each in (one, other))
    secret = altered(SECRET, stringData=DROP, data={"k": text})
    (entry,) = data_of(a_release(secret, terms=SALTED)).values()

    assert is_value_of(entry, text)
    assert is_value_of(entry, wrong) is (one == other)


def test_two_spellings_of_one_value_are_one_value() -> None:
    """An API server decodes base64 and encodes it again; the bits behind the last byte are lost."""
    spellings = ("eA==", "eB==", "eA==\n")
    releases = [
        a_release(altered(SECRET, stringData=DROP, data={"k": each}), terms=SALTED)
        for each in spellings
    ]

    assert len({release.digest for release in releases}) == 1


def test_the_salt_is_of_commit_object_and_key() -> None:
    """Equal values in two places, or in two commits, are not seen to be equal."""
    twice = altered(SECRET, stringData={"a": "x", "b": "x"})
    other = replace(SALTED, source=Commit(COMMIT.uri, "d" * 40))
    entries = [
        *data_of(a_release(twice, terms=SALTED)).values(),
        *data_of(a_release(twice, terms=other)).values(),
        *data_of(a_release(altered(twice, metadata__name="other"), terms=SALTED)).values(),
    ]

    assert len({each["salt"] for each in entries}) == 6
    assert len({each["$salted"] for each in entries}) == 6


@pytest.mark.parametrize("value", ["hunter2!", "x", 7, {"$salted": "sha256:x", "salt": "y"}])
def test_what_is_no_base64_is_refused_without_being_shown(value: object) -> None:
    with pytest.raises(InputError, match=r"data\.k is not") as raised:
        a_release(altered(SECRET, stringData=DROP, data={"k": value}), terms=SALTED)
    assert "hunter2" not in str(raised.value)
