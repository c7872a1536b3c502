"""The composition root: settings to a loop that runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from applier.cluster import Cluster
from applier.delivery import Delivery
from applier.git import GitCredentials
from applier.goal import Chooser
from applier.heartbeat import Heartbeats
from applier.live import Live
from applier.loop import Loop
from applier.mirroring import Mirroring
from applier.passes import Signer
from applier.policy import Feed, InForce, PolicyFeed
from applier.policy_git import GitPolicyFeed
from applier.reconcile import Reconciler
from applier.report import Recorder, Troubles
from applier.repositories import Repositories, Seen
from applier.services import Services
from applier.settings import Settings
from applier.soaking import Soaks
from applier.store import SeenStore, StateStore
from applier.trees import TreeRenderer
from stagepass.attesting import Signed
from stagepass.cache import DecisionCache
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline, DirectorySource, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.policy.watermark import HighWater
from stagepass.registry.client import RegistryClient
from stagepass.registry.listings import LISTING_SECONDS
from stagepass.registry.push import push_bundle
from stagepass.registry.source import RegistrySource
from stagepass.release.book import ReleaseBook
from stagepass.release.pushed import RegistryBlobs
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier

_Asked = tuple[RegistryClient, RegistrySource]


class Evidence:
    """Where evidence is read and written, by the settings; the hosts asked are the policy's."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._cache = settings, DecisionCache()
        self._lock = threading.Lock()
        self._registries: dict[tuple[frozenset[str], float], _Asked] = {}
        self._shelf = Shelf()

    def verifier(self, policy: PolicySet) -> Verifier:
        """The verifier of one set."""
        sources = self.sources(policy.hosts())
        book = ReleaseBook(policy, self.release_sources(policy.hosts()), self._shelf)
        return Verifier(policy, sources, self._cache, releases=book)

    def release_sources(self, hosts: frozenset[str]) -> list[ReleaseSource]:
        """The same sources, which hold releases too."""
        return [
            ReleaseSource.directory(Path(name.removeprefix("dir:")))
            if name.startswith("dir:")
            else self._remote(hosts)
            for name in self._settings.evidence
        ]

    def _remote(self, hosts: frozenset[str]) -> ReleaseSource:
        client, source = self._registry(hosts, LISTING_SECONDS)
        return ReleaseSource(source, RegistryBlobs(client), is_remote=True)

    def sources(
        self, hosts: frozenset[str], *, listing_seconds: float = LISTING_SECONDS
    ) -> list[EvidenceSource]:
        """Every source, in the order of the settings; a registry's listing may be so old."""
        return [
            DirectorySource(Path(name.removeprefix("dir:")))
            if name.startswith("dir:")
            else self._registry(hosts, listing_seconds)[1]
            for name in self._settings.evidence
        ]

    def about(self, image: ImageRef) -> list[EvidenceSource]:
        """
        The sources to look for our own statements about an image in.

        Each is asked anew: a listing from before a store whose answer was lost would have us sign
        the same again.
        """
        return self.sources(frozenset({image.host}), listing_seconds=0.0)

    def store(
        self, signed: Signed, now: datetime, deadline: Deadline, only: Collection[int] | None = None
    ) -> None:
        """Into every source, or those with these numbers. Raises `StagepassError`."""
        for number, name in enumerate(self._settings.evidence):
            if only is not None and number not in only:
                continue
            if name.startswith("dir:"):
                root = Path(name.removeprefix("dir:"))
                DirectorySource(root).write(signed.digest, signed.bundle)
            else:
                self._push(signed, now, deadline)

    def _push(self, signed: Signed, now: datetime, deadline: Deadline) -> None:
        image: ImageRef = signed.image
        push_bundle(
            self._registry(frozenset({image.host}), 0.0)[0],
            image,
            signed.digest,
            signed.bundle,
            signed.predicate_type,
            now,
            deadline,
        )

    def _registry(self, hosts: frozenset[str], listing_seconds: float) -> _Asked:
        """One for each set of hosts: its connections and threads are kept."""
        key = hosts, listing_seconds
        with self._lock:
            if key not in self._registries:
                settings = self._settings
                client = RegistryClient(settings.registries, settings.credentials, hosts)
                source = RegistrySource(client, listing_seconds=listing_seconds)
                self._registries[key] = client, source
            return self._registries[key]


def make_loop(settings: Settings, cluster: Cluster, only: str = "") -> Loop:
    """Everything put together, for all applications or one; reads the state. Raises `StagepassError`."""
    evidence = Evidence(settings)
    store = StateStore(cluster, settings.namespace)
    store.load()
    seen = SeenStore(cluster, settings.namespace)
    repositories = make_repositories(settings, seen.load(), seen.save)
    feed = make_feed(settings, cluster, repositories, evidence.verifier)
    feed.poll()
    live = Live(cluster)
    renderer = TreeRenderer(settings.kubectl)
    chooser = Chooser(cluster, renderer, settings.forbidden_namespaces)
    signer = Signer(settings.key, settings.cluster, cluster.uid(), evidence.about, evidence.store)
    soaks = Soaks(cluster, settings.namespace, store)
    soaks.load()
    heartbeats = Heartbeats(repositories)
    troubles = Troubles(repositories.trouble, heartbeats.trouble)
    reporter = Recorder(cluster, settings.namespace, store.get, troubles)
    reporter.load()
    mirroring = Mirroring(
        cluster,
        settings.gate_namespace,
        lambda policy: evidence.sources(policy.hosts()),
        lambda of, version: chooser.rendered(of, repositories.mirror(of.source.git), version),
        is_wanted=settings.mirror,
    )
    services = Services(
        cluster, live, store, soaks, repositories, heartbeats, chooser, signer, reporter, mirroring
    )
    look = timedelta(seconds=settings.pace.look)
    return Loop(
        settings.cluster,
        feed.poll,
        Reconciler(services, look, timedelta(seconds=settings.pace.retry)),
        repositories,
        store,
        settings.pace,
        reporter,
        only,
    )


def make_feed(
    settings: Settings,
    cluster: Cluster,
    repositories: Repositories,
    make_verifier: Callable[[PolicySet], Verifier],
) -> Feed:
    """The policy repository where one is set, whose sets the gate is brought too; else the directory."""
    marks = HighWater(settings.state_directory)
    in_force = InForce(settings.policy_root_key, marks, make_verifier)
    if settings.policy_git is None:
        return PolicyFeed(settings.policy, in_force)
    delivery = Delivery(cluster, settings.gate_namespace)
    return GitPolicyFeed(settings.policy_git, repositories, in_force, delivery, settings.pace.fetch)


def make_repositories(
    settings: Settings, seen: Seen, remember: Callable[[Seen], None]
) -> Repositories:
    """Mirrors below the state directory, with the credentials of each host."""
    return Repositories(
        settings.state_directory / "git",
        lambda url: _git_credentials(settings.git_credentials, url),
        seen,
        remember,
        allow_file=settings.allow_file,
    )


def _git_credentials(directory: Path | None, url: str) -> GitCredentials:
    """Those of the URL's host, by the files that are there; none for a host without a directory."""
    host = urlsplit(url).hostname or ""
    folder = directory / host if directory and host else None
    if folder is None or not folder.is_dir():
        return GitCredentials()
    files = {path.name: path for path in folder.iterdir()}
    username = files.get("username")
    return GitCredentials(
        ssh_key=files.get("ssh_key"),
        known_hosts=files.get("known_hosts"),
        token_file=files.get("token"),
        username=username.read_text().strip() if username else "git",
        ca_file=files.get("ca.crt"),
    )
