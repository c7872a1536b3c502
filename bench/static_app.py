"""The least that a flask application on the same server can do: read the body, answer one thing."""

from __future__ import annotations

from flask import Flask, Response, request

_ANSWER = (
    b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":'
    b'{"uid":"00000000-0000-0000-0000-000000000000","allowed":true}}'
)

app = Flask("static", static_folder=None)


@app.post("/validate")
def validate() -> Response:
    """Admit everything, unread."""
    request.get_data(cache=False)
    return Response(_ANSWER, content_type="application/json")
