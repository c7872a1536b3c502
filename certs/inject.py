"""
Put a CA bundle into a manifest, and leave every other character of the file as it was.

An API server accepts any bytes as `caBundle` when the object is created and then fails every
request that the webhook should see; so what is no certificate of a CA stops here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.issue import CA_CERTIFICATE, is_ca
from stagepass import strictyaml
from stagepass.errors import InputError

KIND = "ValidatingWebhookConfiguration"
_GROUP = "admissionregistration.k8s.io/"


def read_bundle(path: Path, *, now: datetime) -> str:
    """
    Read the value for `caBundle`: base64 of every certificate in the PEM file at `path`.

    Whatever else the file holds, a private key included, is left out. Raises `InputError` when it
    holds no certificate, one that is no CA, or none that is valid at `now`.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        hint = "name a file with -----BEGIN CERTIFICATE-----: an API server takes anything else"
        hint += ", then fails every request"
        raise InputError("not a PEM certificate", where=str(path), hint=hint) from None
    for certificate in found:
        if not is_ca(certificate):
            subject, hint = certificate.subject.rfc4514_string(), f"name the {CA_CERTIFICATE}"
            raise InputError(f"{subject} is not a CA", where=str(path), hint=hint)
    if not any(c.not_valid_before_utc <= now < c.not_valid_after_utc for c in found):
        raise InputError("no certificate in it is valid now", where=str(path), hint="issue a CA")
    return base64.b64encode(b"".join(c.public_bytes(Encoding.PEM) for c in found)).decode()


def inject(text: str, bundle: str, *, where: str) -> str:
    """
    `text` with `bundle` as the `caBundle` of every webhook of every `KIND` in it, Lists included.

    Only those values are edited, in place, so comments and order survive. The result is parsed
    again and must say what the input said plus the bundle. Raises `InputError`, naming the file as
    `where`, when it does not, when there is nothing to fill, and when the text is not YAML.
    """
    wanted = list(strictyaml.load_all(text, where=where, anchors=True))
    clients = [client for document in wanted for client in _clients(document, where)]
    if not clients:
        hint = "name the file with the webhook's configuration"
        raise InputError(f"no {KIND} with webhooks in it", where=where, hint=hint)
    for client in clients:
        client["caBundle"] = bundle
    try:
        edited = _edited(text, bundle)
        same = list(strictyaml.load_all(edited, where=where, anchors=True)) == wanted
    except (InputError, yaml.YAMLError):
        same = False
    if not same:
        hint = "write each clientConfig out, with `caBundle:` and a plain value on one line"
        raise InputError("caBundle cannot be set without changing more", where=where, hint=hint)
    return edited


def _clients(document: Any, where: str) -> Iterator[dict[str, Any]]:
    """Every `clientConfig` of `document`. Raises `InputError` for a webhook that has none."""
    if not isinstance(document, dict):
        return
    if document.get("kind") == "List":
        for item in _list(document.get("items")):
            yield from _clients(item, where)
    if not _is_ours(document.get("kind"), document.get("apiVersion")):
        return
    for index, webhook in enumerate(_list(document.get("webhooks"))):
        client = webhook.get("clientConfig") if isinstance(webhook, dict) else None
        if not isinstance(client, dict) or not client:
            field = f"webhooks[{index}].clientConfig"
            raise InputError(f"{field} is empty", where=where, hint="give it a service or a url")
        yield client


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_ours(kind: object, api_version: object) -> bool:
    return kind == KIND and isinstance(api_version, str) and api_version.startswith(_GROUP)


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    """Put `text` where the characters from `start` up to `end` stand."""

    start: int
    end: int
    text: str


def _edited(text: str, bundle: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    # The Python loader: its marks count characters of `text`, libyaml's skip a byte order mark.
    documents = yaml.compose_all(text, Loader=yaml.SafeLoader)
    edits = {
        _edit(client, bundle, newline) for document in documents for client in _nodes(document)
    }
    for edit in sorted(edits, reverse=True):  # from the end: earlier offsets stay true
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _nodes(document: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Walk like `_clients`, over nodes, which know where in the text they stand."""
    kind, api_version = (_child(document, key) for key in ("kind", "apiVersion"))
    if isinstance(kind, yaml.ScalarNode) and kind.value == "List":
        for item in _items(_child(document, "items")):
            yield from _nodes(item)
    if _is_ours(getattr(kind, "value", None), getattr(api_version, "value", None)):
        for webhook in _items(_child(document, "webhooks")):
            client = _child(webhook, "clientConfig")
            if isinstance(client, yaml.MappingNode):
                yield client


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    members = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in members if name.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _edit(client: yaml.MappingNode, bundle: str, newline: str) -> _Edit:
    value = _child(client, "caBundle")
    quoted = f'"{bundle}"' if client.flow_style else bundle  # JSON stays JSON
    if value is not None:
        start, end = value.start_mark.index, value.end_mark.index
        if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
            quoted += newline  # a block scalar's end is the start of the next line
        return _Edit(start, end, f" {quoted}" if start == end else quoted)
    first: yaml.Node = client.value[0][0]
    start = first.start_mark.index
    if client.flow_style:
        return _Edit(start, start, f'"caBundle": {quoted}, ')
    return _Edit(start, start, f"caBundle: {quoted}{newline}{' ' * first.start_mark.column}")
