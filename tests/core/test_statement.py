from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass import strictjson
from stagepass.digest import Digest
from stagepass.errors import AttestationError
from stagepass.statement import MAX_BYTES, V0_1, V1, Statement, Subject, compose
from tests.world import DIGEST, DROP, OTHER_DIGEST, changed

TYPE = "https://example.com/scan/v1"
GOOD: dict[str, Any] = {
    "_type": V1,
    "subject": [{"name": "r.io/shop/cart", "digest": {"sha256": DIGEST.hex}}],
    "predicateType": TYPE,
    "predicate": {"ok": True},
}


def parse(changes: dict[str, Any]) -> Statement:
    return Statement.parse(strictjson.dumps(changed(GOOD, changes)))


def test_a_statement_keeps_the_bytes_that_are_signed() -> None:
    payload = (
        b' {"_type" : "%b", "subject": %b, "predicateType": "%b", "predicate": {"n": 1.50}}\n'
        % (
            V1.encode(),
            strictjson.dumps(GOOD["subject"]),
            TYPE.encode(),
        )
    )
    found = Statement.parse(payload)

    assert found.payload == payload
    assert found.payload_digest == Digest.of(payload)
    assert (found.predicate_type, found.predicate) == (TYPE, {"n": 1.5})
    assert found.digests == {DIGEST}


@pytest.mark.parametrize(
    ("changes", "digests"),
    [
        ({"_type": V0_1}, {DIGEST}),
        ({"subject.0.name": DROP}, {DIGEST}),
        ({"subject.0.name": ""}, {DIGEST}),
        ({"subject.0.uri": "x", "subject.0.annotations": {"a": "b"}}, {DIGEST}),
        ({"subject.0.digest.gitCommit": "ab"}, {DIGEST}),
        ({"subject.1": {"digest": {"sha256": OTHER_DIGEST.hex}}}, {DIGEST, OTHER_DIGEST}),
        ({"subject.1": {"digest": {"gitCommit": "ab"}}}, {DIGEST}),
        ({"subject.1": {"name": "x", "digest": None}}, {DIGEST}),
        ({"subject.0.digest": {"sha512": "ab"}}, set()),
        ({"subject": [{"name": "x"}] * 1024}, set()),
        ({"subject.0.digest": {f"a{i}": "x" for i in range(32)}}, set()),
    ],
)
def test_the_subjects_are_the_sha256_digests_of_all_entries(
    changes: dict[str, Any], digests: set[Digest]
) -> None:
    assert parse(changes).digests == digests


@pytest.mark.parametrize("predicate", [DROP, None, {}])
def test_a_predicate_may_be_absent_null_or_empty(predicate: Any) -> None:
    assert parse({"predicate": predicate}).predicate == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": DROP},
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": [V1]},
        {"predicateType": DROP},
        {"predicateType": ""},
        {"predicateType": None},
        {"predicateType": [TYPE]},
        {"predicate": "text"},
        {"predicate": ""},
        {"predicate": []},
        {"predicate": [1]},
        {"predicate": 0},
        {"predicate": False},
        {"subject": DROP},
        {"subject": None},
        {"subject": []},
        {"subject": {}},
        {"subject": [None]},
        {"subject": [{}]},
        {"subject": ["x"]},
        {"subject": [{"name": "x"}] * 1025},
        {"subject.0.extra": 1},
        {"subject.0.digest": []},
        {"subject.0.digest": ""},
        {"subject.0.digest": f"sha256:{DIGEST.hex}"},
        {"subject.0.digest": {f"a{i}": "x" for i in range(33)}},
        {"subject.0.digest.gitCommit": 7},
        {"subject.0.digest.gitCommit": None},
        {"subject.0.digest.sha256": DIGEST.hex.upper()},
        {"subject.0.digest.sha256": f"sha256:{DIGEST.hex}"},
        {"subject.0.digest.sha256": DIGEST.hex[1:]},
        {"subject.0.digest.sha256": f"{DIGEST.hex}\n"},
        {"subject.0.digest.sha256": None},
        {"subject.1": {"digest": {"sha256": "zz"}}},
        {"extra": 1},
        {"predicate_type": TYPE},
        {"PredicateType": TYPE},
    ],
)
def test_what_an_in_toto_reader_could_read_otherwise_is_no_statement(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(AttestationError) as caught:
        parse(changes)
    assert caught.value.code == "STATEMENT_INVALID"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xef\xbb\xbf" + strictjson.dumps(GOOD),
        strictjson.dumps(GOOD) + b"x",
        strictjson.dumps(GOOD)[:-1] + b',"predicateType":"https://example.com/scan/v1"}',
        strictjson.dumps(GOOD)[:-1] + b',"predicate\\u0054ype":"https://example.com/other"}',
        strictjson.dumps(GOOD).replace(b"true", b"NaN"),
        strictjson.dumps(GOOD).replace(b"true", b"[" * 300 + b"]" * 300),
        strictjson.dumps(GOOD).replace(b"true", b'"' + b"x" * MAX_BYTES + b'"'),
    ],
)
def test_bytes_that_are_not_one_json_object_are_no_statement(payload: bytes) -> None:
    with pytest.raises(AttestationError) as caught:
        Statement.parse(payload)
    assert caught.value.code == "STATEMENT_INVALID"


def test_a_predicate_of_200_levels_is_read_as_cosign_reads_it() -> None:
    text = strictjson.dumps(GOOD).replace(b"true", b"[" * 200 + b"]" * 200)

    assert Statement.parse(text).predicate_type == TYPE


def test_a_refusal_quotes_only_the_start_of_what_a_stranger_wrote() -> None:
    with pytest.raises(AttestationError) as caught:
        parse({"x" * 100_000: 1})
    assert len(str(caught.value)) < 400


def test_a_composed_statement_holds_the_predicate_byte_for_byte() -> None:
    """cosign attest rewrites numbers, and then signs something else than the author wrote."""
    predicate = b'{"b": 1.50, "a": 12345678901234567890123}'
    payload = compose(
        name="r.io/shop/cart",
        digest=DIGEST,
        predicate_type=TYPE,
        predicate=b"\n" + predicate + b" ",
    )

    assert payload == (
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"r.io/shop/cart",'
        b'"digest":{"sha256":"%b"}}],"predicateType":"%b","predicate":%b}'
        % (DIGEST.hex.encode(), TYPE.encode(), predicate)
    )
    assert Statement.parse(payload).predicate["a"] == 12345678901234567890123


def test_a_statement_may_be_about_several_subjects() -> None:
    """In the order given; a subject without a sha256, such as a commit, is recorded and never matched."""
    payload = compose(
        name="one",
        digest=DIGEST,
        predicate_type="https://example.com/x",
        predicate=b"{}",
        others=[Subject.of("two", OTHER_DIGEST), Subject("git", {"gitCommit": "c0ffee"})],
    )

    assert [each["name"] for each in json.loads(payload)["subject"]] == ["one", "two", "git"]
    assert Statement.parse(payload).digests == {DIGEST, OTHER_DIGEST}
