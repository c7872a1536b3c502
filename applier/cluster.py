"""
One API server, over the connections of the Kubernetes client: the only importer of that package.

Bodies are plain JSON: one LIST of 1,000 objects costs 35 ms so, 242 ms through the dynamic client
(control-plane-proof section 7). Writes are never sent twice by this layer.
"""

from __future__ import annotations

import http
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import kubernetes
import orjson
import urllib3

from applier.classify import classify
from applier.failure import Failure, Reason
from applier.rules import FIELD_MANAGER, Object, identity
from stagepass.manifest import ObjectId
from stagepass.policy.source import ServiceAccount

_TIMEOUT_SECONDS = 30.0
_CONNECTIONS = 48
"""More than there are threads: one too many costs a TLS handshake at each request of it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """How the API server serves a kind: by which path, and whether inside namespaces."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def is_secret(self) -> bool:
        """Whether only the application's own account may read it: the applier itself may not."""
        return (self.group, self.kind) == ("", "Secret")

    @property
    def api_version(self) -> str:
        """As objects write it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, of a namespace's, or of all."""
        root = f"/apis/{self.group}" if self.group else "/api"
        inside = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{root}/{self.version}{inside}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Cluster:
    """Requests to one API server. Thread-safe. Every method raises `Failure`, and nothing else."""

    def __init__(self, api: kubernetes.client.ApiClient) -> None:
        self._api = api
        self._pool = api.rest_client.pool_manager
        self._host = api.configuration.host
        self._kinds: dict[str, dict[str, Resource]] = {}
        self._lock = threading.Lock()

    @classmethod
    def connect(cls, kubeconfig: Path | None) -> Self:
        """By a kubeconfig, else by the Pod's own service account. Raises `InputError`-like `Failure`."""
        configuration = kubernetes.client.Configuration()
        try:
            if kubeconfig:
                load: Any = kubernetes.config.load_kube_config
                load(str(kubeconfig), client_configuration=configuration)
            else:
                load = kubernetes.config.load_incluster_config
                load(client_configuration=configuration)
        except kubernetes.config.ConfigException as error:
            raise Failure(Reason.API_UNAVAILABLE, f"no way to the cluster: {error}") from error
        configuration.connection_pool_maxsize = _CONNECTIONS
        return cls(kubernetes.client.ApiClient(configuration))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
        account: ServiceAccount | None = None,
        about: str = "",
    ) -> dict[str, Any]:
        """The decoded answer of one request. `about` names its object in a failure."""
        headers = {
            "Accept": "application/json",
            "Content-Type": content_type,
            "User-Agent": FIELD_MANAGER,
        }
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        if account is not None:
            headers["Impersonate-User"] = account.user
        target = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(
                method,
                target,
                body=None if body is None else orjson.dumps(body),
                headers=headers,
                timeout=_TIMEOUT_SECONDS,
                retries=False,
                redirect=False,
            )
            document = _decoded(answer.data)
        except urllib3.exceptions.HTTPError as error:
            raise classify(0, str(error), about=about) from error
        if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES or document is None:
            text = document if document is not None else answer.data.decode(errors="replace")
            raise classify(answer.status, text, about=about)
        return document

    def resource(self, api_version: str, kind: str) -> Resource:
        """How `kind` is served. Raises `Failure` KIND_UNKNOWN, after having asked the server again."""
        found = self._kinds.get(api_version, {}).get(kind) or self._discover(api_version).get(kind)
        if found is None:
            raise Failure(Reason.KIND_UNKNOWN, f"the API server serves no {kind} of {api_version}")
        return found

    def find(self, group: str, kind: str, version: str) -> Resource | None:
        """How `kind` is served in that version or in any other, None where in none."""
        try:
            return self.resource(f"{group}/{version}" if group else version, kind)
        except Failure as failure:
            if failure.reason is not Reason.KIND_UNKNOWN or not group:
                raise
        try:
            answer = self.request("GET", f"/apis/{quote(group)}", about=group)
        except Failure as failure:
            if failure.is_unserved:
                return None
            raise
        for served in answer.get("versions") or []:
            found = self._discover(served["groupVersion"]).get(kind)
            if found is not None:
                return found
        return None

    def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        selector: str = "",
        account: ServiceAccount | None = None,
    ) -> list[dict[str, Any]]:
        """All objects of a kind as they are now, whole, with kind and apiVersion filled in."""
        found, _ = self.listed(resource, namespace=namespace, selector=selector, account=account)
        return [*found]

    def listed(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        selector: str = "",
        account: ServiceAccount | None = None,
        not_older: str = "",
    ) -> tuple[Sequence[dict[str, Any]], str]:
        """
        The same, and the resource version of the list.

        With `not_older`, a resource version, it comes from the server's watch cache: 0.07 s for 2,000,
        and possibly slightly old, but no older than that; "0" takes what there is.
        """
        query = [("labelSelector", selector)] if selector else []
        if not_older:
            query.append(("resourceVersion", not_older))
            query.append(("resourceVersionMatch", "NotOlderThan"))
        answer = self.request(
            "GET", resource.path(namespace), query=query, account=account, about=resource.plural
        )
        items = answer.get("items") or []
        for item in items:  # a list names them once, for all of its items
            item["apiVersion"], item["kind"] = resource.api_version, resource.kind
        return items, str((answer.get("metadata") or {}).get("resourceVersion", ""))

    def get(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        account: ServiceAccount | None = None,
    ) -> dict[str, Any] | None:
        """One object as `account`, else as the applier itself; None where there is none."""
        about = identity(ObjectId(resource.group, resource.kind, namespace, name))
        try:
            return self.request("GET", resource.path(namespace, name), account=account, about=about)
        except Failure as failure:
            if failure.is_missing:
                return None
            raise

    def apply(
        self,
        resource: Resource,
        document: Object,
        *,
        account: ServiceAccount | None,
        dry_run: bool = False,
        force: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply under our one field manager; unknown fields are refused, never dropped."""
        wanted = ObjectId.of(document)
        query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
        query += [("force", "true")] if force else []
        query += [("dryRun", "All")] if dry_run else []
        return self.request(
            "PATCH",
            resource.path(wanted.namespace, wanted.name),
            document,
            query=query,
            content_type="application/apply-patch+yaml",
            account=account,
            about=identity(wanted),
        )

    def delete(
        self, resource: Resource, wanted: ObjectId, uid: str, *, account: ServiceAccount | None
    ) -> bool:
        """
        Ask for the deletion of exactly the object with that UID, dependents first.

        True where it is gone already (or another of its name has taken its place), False where the
        API server is still at it.
        """
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        path = resource.path(wanted.namespace, wanted.name)
        try:
            self.request("DELETE", path, options, account=account, about=identity(wanted))
        except Failure as failure:
            if not (failure.is_missing or failure.reason is Reason.STALE_WRITE):
                raise
        live = self.get(resource, wanted.namespace, wanted.name, account=account)
        return live is None or live["metadata"]["uid"] != uid

    def uid(self) -> str:
        """The cluster's UID, by convention that of its kube-system namespace."""
        answer = self.request("GET", "/api/v1/namespaces/kube-system", about="kube-system")
        return str(answer["metadata"]["uid"])

    def _discover(self, api_version: str) -> dict[str, Resource]:
        group, _, version = api_version.rpartition("/")
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            answer = self.request("GET", path, about=api_version)
        except Failure as failure:
            if failure.is_unserved:
                return {}
            raise
        found = _served(answer.get("resources") or [], group, version)
        with self._lock:
            self._kinds[api_version] = found
        return found


def _served(
    resources: Iterable[Mapping[str, Any]], group: str, version: str
) -> dict[str, Resource]:
    return {
        entry["kind"]: Resource(group, version, entry["kind"], entry["name"], entry["namespaced"])
        for entry in resources
        if "/" not in entry["name"]  # a subresource
    }


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
