"""Whatever a stranger sends: an answer or one of our errors, never a crash and never an admission."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagepass import strictjson, strictyaml
from stagepass.admission import judge_object
from stagepass.decision import Answer, Code
from stagepass.digest import ImageRef
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Candidate, Deadline, Rejection
from stagepass.manifest import ObjectId
from stagepass.policy.load import PolicyError, load
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import StagePassed
from stagepass.review import AdmissionRequest
from stagepass.stage import NamespacePattern
from stagepass.verifier import Verifier
from tests.core.objects import containers, pod, review
from tests.core.sources import MemorySource
from tests.property.worlds import LAW
from tests.world import (
    DIGEST,
    IMAGE,
    NOW,
    STAGING,
    changed,
    policy_set,
    signed,
    signed_pass,
    statement,
)

POLICY = policy_set()
BUNDLE = signed_pass("test")
SHAPE = json.loads(BUNDLE)
NAMES = ["".join(n) for length in range(1, 9) for n in product("ab", repeat=length)]
PREDICATE = json.loads(statement(STAGE_PASSED, b"{}"))
REVIEW = review(pod({"containers": containers(str(IMAGE))}))

words = st.sampled_from(
    [
        *("mediaType", "verificationMaterial", "publicKey", "hint", "dsseEnvelope", "payload"),
        *("payloadType", "signatures", "sig", "keyid", "tlogEntries", "_type", "subject"),
        *("pipeline", "stage", "environment", "clusterName", "observed", "critical", "expires"),
        *("request", "object", "oldObject", "kind", "spec", "containers", "image", "name"),
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | words,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(node: Any, prefix: str = "") -> list[str]:
    """The path of every member of `node`."""
    named = node.items() if isinstance(node, dict) else enumerate(node)
    found: list[str] = []
    for name, value in named:
        found.append(f"{prefix}{name}")
        found += paths(value, f"{prefix}{name}.") if isinstance(value, (dict, list)) else []
    return found


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@LAW
@given(st.binary() | st.builds(dumped, values))
def test_bytes_that_nobody_signed_are_rejected(data: bytes) -> None:
    assert isinstance(POLICY.keys.verify(Candidate(data, "x"), DIGEST), Rejection)


@LAW
@given(st.sampled_from(paths(SHAPE)), values)
def test_a_bundle_with_any_member_replaced_is_rejected_or_still_the_same_claim(
    path: str, value: Any
) -> None:
    found = POLICY.keys.verify(Candidate(dumped(changed(SHAPE, {path: value})), "x"), DIGEST)

    if not isinstance(found, Rejection):
        assert found == POLICY.keys.verify(Candidate(BUNDLE, "x"), DIGEST)


@LAW
@given(st.binary() | st.builds(dumped, values))
def test_a_signed_payload_of_any_kind_is_a_statement_or_rejected(payload: bytes) -> None:
    """Even our own signers' keys may sign what is not for us."""
    found = POLICY.keys.verify(Candidate(signed(payload or b"{}", "ci"), "x"), DIGEST)

    assert isinstance(found, Rejection)
    assert found.code is Code.STATEMENT_INVALID


@LAW
@given(values)
def test_any_predicate_is_read_or_invalid(value: Any) -> None:
    with suppress(AttestationError):
        StagePassed.parse(value if isinstance(value, dict) else {"observed": value})


@LAW
@given(st.lists(st.tuples(st.sampled_from(paths(REVIEW)), values), min_size=1, max_size=2))
def test_a_review_with_any_members_replaced_is_refused_or_judged(
    replaced: list[tuple[str, Any]],
) -> None:
    altered = REVIEW
    for path, value in replaced:
        with suppress(KeyError, IndexError, TypeError, ValueError):
            altered = changed(altered, {path: value})
    verifier = Verifier(POLICY, [MemorySource()])
    with suppress(InputError):
        request = AdmissionRequest.parse(dumped(altered))
        decision = judge_object(verifier, "prod-eu", request, now=NOW, deadline=Deadline.after(60))
        runs = request.object_id.kind == "Pod" and request.operation in ("CREATE", "UPDATE")
        if runs and request.object_id.group == "":
            assert decision.answer is not Answer.ADMITTED


@LAW
@given(st.text() | st.text("/:@.abcAB0129-_[]", max_size=40))
def test_any_text_is_one_image_reference_or_none(text: str) -> None:
    with suppress(InputError):
        found = ImageRef.parse(text)
        assert ImageRef.parse(str(found)) == found


@LAW
@given(values)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    try:
        found = strictjson.loads(dumped(value), max_bytes=1 << 20, max_depth=64)
    except InputError:
        assert "\\ud" in json.dumps(value)
        return
    assert json.dumps(found) == json.dumps(value)


@LAW
@given(st.text() | st.builds(json.dumps, values))
def test_any_text_is_yaml_or_an_input_error(text: str) -> None:
    with suppress(InputError):
        list(strictyaml.load_all(text, where="x", anchors=True))


@LAW
@given(st.dictionaries(words | st.sampled_from(["apiVersion", "stages", "attestors"]), values))
def test_any_document_as_a_policy_is_refused(document: dict[str, Any]) -> None:
    for kind in ("Pipeline", "Attestors", "Defaults"):
        text = json.dumps({**document, "kind": kind})
        with suppress(PolicyError):
            load({"x.yaml": text.encode("utf-8", "replace")}, "")


@LAW
@given(st.text("ab*", min_size=1, max_size=5), st.text("ab*", min_size=1, max_size=5))
def test_patterns_overlap_exactly_where_a_name_matches_both(left: str, right: str) -> None:
    one, other = NamespacePattern.parse(left), NamespacePattern.parse(right)

    meet = any(one.matches(name) and other.matches(name) for name in NAMES)
    assert one.overlaps(other) is meet


@LAW
@given(values)
def test_any_object_has_an_identity_or_none(value: Any) -> None:
    with suppress(InputError):
        ObjectId.of(value if isinstance(value, dict) else {"kind": value, "apiVersion": value})


def test_the_review_and_the_bundle_that_are_altered_are_good_ones() -> None:
    assert PREDICATE["predicateType"] == STAGE_PASSED
    verifier = Verifier(POLICY, [MemorySource([BUNDLE])])
    decision = judge_object(
        verifier,
        STAGING.cluster,
        AdmissionRequest.parse(strictjson.dumps(REVIEW)),
        now=NOW,
        deadline=Deadline.after(60),
    )
    assert decision.answer is Answer.ADMITTED
