from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.backoff import BASE, LIMIT, delay
from applier.classify import classify
from applier.failure import Kind, Reason
from tests.applier.samples import LAW

WEB = "apps/Deployment/shop/web"


def status(message: str, reason: str = "", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "message": message, "reason": reason, "details": details}


def cause(reason: str, field: str = "") -> dict[str, str]:
    return {"reason": reason, "field": field}


DENIED = 'admission webhook "gate.stagepass.dev" denied the request: PASS_MISSING'
TYPED = "failed to create typed patch object (shop/web): .spec.x: field not declared in schema"
CALL = (
    'failed calling webhook "gate.stagepass.dev": failed to call webhook: context deadline exceeded'
)

ANSWERS = {
    "an unknown field": (500, status(TYPED), Reason.INVALID),
    "a gate that is down": (500, status(CALL, "InternalError"), Reason.API_UNAVAILABLE),
    "a gate whose text quotes the other": (500, status(f"{CALL}: {TYPED}"), Reason.API_UNAVAILABLE),
    "any other 500": (500, status("etcdserver: leader changed"), Reason.API_UNAVAILABLE),
    "an immutable field": (422, status("field is immutable", "Invalid"), Reason.INVALID),
    "a bad request": (400, status("name does not match", "BadRequest"), Reason.INVALID),
    "too large": (413, "Request entity too large", Reason.INVALID),
    "another content type": (415, status("", "UnsupportedMediaType"), Reason.INVALID),
    "another manager": (409, status("Apply failed with 1 conflict", "Conflict", causes=[
        cause("FieldManagerConflict", ".spec.replicas")]), Reason.CONFLICT),
    "a stale version": (409, status("the object has been modified", "Conflict"), Reason.STALE_WRITE),
    "another UID": (409, status("UID in precondition does not match", "Conflict"), Reason.STALE_WRITE),
    "a version too old": (410, status("too old", "Expired"), Reason.STALE_WRITE),
    "no namespace": (404, status('namespaces "x" not found', "NotFound", name="x", kind="namespaces"),
                     Reason.NAMESPACE_MISSING),
    "no kind, as text": (404, "404 page not found\n", Reason.KIND_UNKNOWN),
    "no kind, as a status": (404, status("the server could not find the requested resource", "NotFound"),
                             Reason.KIND_UNKNOWN),
    "no object": (404, status('configmaps "x" not found', "NotFound", name="x", kind="configmaps"),
                  Reason.MISSING),
    "a namespace that goes": (403, status("is being terminated", "Forbidden", causes=[
        cause("NamespaceTerminating", "metadata.namespace")]), Reason.NAMESPACE_MISSING),
    "no right": (403, status('User "x" cannot patch', "Forbidden"), Reason.FORBIDDEN),
    "the gate": (403, status(DENIED, "Forbidden"), Reason.GATE_DENIED),
    "a gate without a code": (400, status(DENIED), Reason.GATE_DENIED),
    "a gate that could not find out": (503, status(DENIED), Reason.API_UNAVAILABLE),
    "an admission policy": (422, status("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
                            Reason.GATE_DENIED),
    "no token": (401, status("Unauthorized", "Unauthorized"), Reason.API_UNAVAILABLE),
    "too many": (429, status("slow down", "TooManyRequests"), Reason.API_UNAVAILABLE),
    "too late": (504, status("timed out", "Timeout"), Reason.API_UNAVAILABLE),
    "a proxy": (502, "<html>Bad Gateway</html>", Reason.API_UNAVAILABLE),
    "elsewhere": (302, "", Reason.API_UNAVAILABLE),
    "no answer": (0, "connection refused", Reason.API_UNAVAILABLE),
    "a login page": (200, "<html>", Reason.API_UNAVAILABLE),
}  # fmt: skip


@pytest.mark.parametrize(("code", "body", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_what_an_answer_means(code: int, body: Any, reason: Reason) -> None:
    failure = classify(code, body, about=WEB)

    assert failure.reason is reason
    assert failure.objects == (WEB,)
    assert failure.message.startswith(f"{WEB}: {f'HTTP {code}' if code else 'no answer'}")


def test_a_conflict_says_which_field() -> None:
    body = status(
        'conflicts with "kubectl": .spec.replicas', causes=[cause("FieldManagerConflict")]
    )

    assert ".spec.replicas" in classify(409, body, about=WEB).message


@pytest.mark.parametrize(
    "message",
    [
        'Deployment "web" is invalid: spec.env[0].value: Invalid value: "hunter2": too short',
        'Deployment "web" is invalid: x: Invalid value: "a \\"hunter2\\" b": no, y: Invalid value: "hunter2"',
        'spec.x: Invalid value: map[string]interface{}{"a":"hunter2"}: no',
        "failed to create typed patch object: .x: expected string, got &value{Value:hunter2}",
    ],
)
def test_no_value_is_quoted(message: str) -> None:
    assert "hunter2" not in classify(422, status(message), about=WEB).message


def test_of_a_secret_nothing_is_quoted() -> None:
    body = status("illegal base64 in hunter2", causes=[cause("FieldValueInvalid", "data[a]")])

    failure = classify(422, body, about="core/Secret/shop/web")

    assert failure.message == "core/Secret/shop/web: HTTP 422: data[a]"


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["message", "details", "causes", "reason", "name", "kind", "field"]), inner
    ),
)  # fmt: skip


@LAW
@given(
    st.integers(0, 700),
    st.dictionaries(st.sampled_from(["message", "details", "code"]), anything) | st.text(),
)
def test_whatever_is_answered_has_a_meaning(code: int, body: Any) -> None:
    failure = classify(code, body, about=WEB)

    assert failure.reason.kind in (Kind.TRANSIENT, Kind.PERMANENT)
    assert json.dumps(failure.message)


@LAW
@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delays_grow_to_a_limit(attempt: int, jitter: float) -> None:
    found = delay(attempt, jitter=jitter)

    assert BASE / 2 <= found <= LIMIT
    assert found <= delay(attempt + 1, jitter=jitter)


def test_delays_double_and_spread() -> None:
    assert [delay(n, jitter=0) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (2.5, 5, 10)]
    assert delay(1, jitter=0.5) == timedelta(seconds=3.75)
    assert delay(50, jitter=0) == LIMIT / 2


@pytest.mark.parametrize(
    ("attempt", "jitter"), [(0, 0), (-1, 0), (1, 1), (1, -0.1), (1, float("nan"))]
)
def test_no_delay_for_nonsense(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="attempt"):
        delay(attempt, jitter=jitter)
