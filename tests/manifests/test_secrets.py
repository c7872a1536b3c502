from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from stagepass import canonical
from stagepass.manifests.compare import differences
from stagepass.manifests.secrets import salt_of, salted
from tests.manifests.samples import REMOVED, RULE, an, put

PASSWORD = base64.b64encode(b"correct horse").decode()
OTHER = base64.b64encode(b"battery staple").decode()
SALT = salt_of("git+https://git.example.com/shop", "c0ffee", "v1/Secret/shop/web", "password")
ATTESTED = an("v1", "Secret", type="Opaque", data={"password": salted(PASSWORD, SALT)})
LIVE = an("v1", "Secret", type="Opaque", data={"password": PASSWORD})


def test_a_salted_value_is_as_it_is_written_down() -> None:
    want = hashlib.sha256(canonical.dumps(["stagepass.dev/salted/v1", SALT, PASSWORD])).hexdigest()

    assert salted(PASSWORD, SALT) == {"$salted": f"sha256:{want}", "salt": SALT}
    assert len(SALT) == 64
    assert salt_of("a", "b", "c", "d") != salt_of("a", "b", "cd", "")


def test_the_value_itself_is_not_needed() -> None:
    assert differences(ATTESTED, LIVE, RULE) == []


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("data.password", OTHER, "data[password]"),
        ("data.password", salted(PASSWORD, SALT), "data[password]"),
        ("data.password", ATTESTED["data"]["password"]["$salted"], "data[password]"),
        ("data.password", "", "data[password]"),
        ("data.password", 5, "data[password]"),
        ("data.password", REMOVED, "data[password]"),
        ("data.more", OTHER, "data[more]"),
        ("data", {}, "data[password]"),
        ("data", REMOVED, "data"),
        ("data", OTHER, "data"),
        ("stringData", {"password": "battery staple"}, "stringData"),
        ("metadata.annotations", {"x": OTHER}, "metadata.annotations[x]"),
        ("metadata.unknown", OTHER, "metadata.unknown"),
        ("unknown", OTHER, "unknown"),
    ],
)
def test_no_value_of_a_secret_is_ever_shown(where: str, what: Any, named: str) -> None:
    found = differences(ATTESTED, put(LIVE, where, what), RULE)

    assert [each.path for each in found] == [named]
    assert {found[0].got, found[0].want} <= {"(redacted)", "absent"}


def test_a_plain_value_is_not_shown_either() -> None:
    [found] = differences(LIVE, put(LIVE, "data.password", OTHER), RULE)

    assert (found.path, found.got, found.want) == ("data[password]", "(redacted)", "(redacted)")


def test_of_a_secret_in_place_of_something_else_nothing_is_shown() -> None:
    attested = an("v1", "ConfigMap", data={"password": "x"})

    text = json.dumps([str(each) for each in differences(attested, LIVE, RULE)])

    assert PASSWORD not in text
    assert "ConfigMap" in text


def test_its_type_is_shown() -> None:
    [found] = differences(ATTESTED, put(LIVE, "type", "x"), RULE)

    assert (found.got, found.want) == ('"x"', '"Opaque"')


@pytest.mark.parametrize(("said", "kept"), [("QR==", "QQ=="), ("QQ==\n", "QQ==")])
def test_base64_is_compared_as_what_it_stands_for(said: str, kept: str) -> None:
    """The API server decodes it, and writes the bits that stand for nothing as zeros."""
    assert (
        differences(
            an("v1", "Secret", data={"x": said}), an("v1", "Secret", data={"x": kept}), RULE
        )
        == []
    )
    entry = salted(said, SALT)
    assert (
        differences(
            an("v1", "Secret", data={"x": entry}), an("v1", "Secret", data={"x": kept}), RULE
        )
        == []
    )


def test_elsewhere_a_salted_value_is_nothing_special() -> None:
    attested = an("v1", "ConfigMap", data={"password": salted(PASSWORD, SALT)})

    assert differences(attested, an("v1", "ConfigMap", data={"password": PASSWORD}), RULE) != []
