"""The same where releases lie in a registry, and somebody else may write to it, or runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.predicates.release import RELEASE
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.source import RegistrySource
from stagepass.release.build import build
from stagepass.release.pushed import RegistryBlobs, push_release
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier
from tests.manifests_attacks.evidence import JUNK, LINE, Trick, asked, evil, junk
from tests.manifests_attacks.row import ADMITTED
from tests.manifests_attacks.site import TERMS, Site, said
from tests.release.samples import named, payload_of
from tests.simulators.registry import Faults, Registry
from tests.world import signed


@contextmanager
def _registry(site: Site) -> Iterator[tuple[Registry, str, Verifier]]:
    """Release A, pushed as `release attest` does, and a gate that reads it from there."""
    with Registry() as registry:
        repository = f"{registry.host}/shop/releases"
        site.released_at(repository)
        client = RegistryClient(RegistrySettings(), Credentials(), frozenset({registry.host}))
        with RegistrySource(client, listing_seconds=0) as source:
            moment = datetime.now(UTC) - timedelta(hours=1)
            bundle = signed(payload_of(site.a), "ci")
            where = ImageRef.parse(repository)
            push_release(client, where, site.a, bundle, moment, Deadline.after(30))
            found = ReleaseSource(source, RegistryBlobs(client), is_remote=True)
            yield registry, "shop/releases", site.verifier(found)


def _from_registry(site: Site, verifier: Verifier, *, stolen: bool) -> str:
    if stolen:
        return asked(site, verifier=verifier)
    return said(site.judge(site.attested("ConfigMap", "settings", site.empty), verifier=verifier))


def _honest(site: Site) -> str:
    with _registry(site) as (_, _, verifier):
        return _from_registry(site, verifier, stolen=False)


def _pushed_junk(site: Site) -> str:
    with _registry(site) as (registry, repository, verifier):
        for bundle in junk(site):
            registry.attach(repository, str(LINE), bundle, predicate_type=RELEASE)
        return _from_registry(site, verifier, stolen=True)


def _lying(site: Site) -> str:
    """Manifests and blobs that are not what their digest says."""
    with _registry(site) as (registry, _, verifier):
        registry.faults = Faults(lie=True)
        return _from_registry(site, verifier, stolen=False)


def _lying_blob(site: Site) -> str:
    """The objects alone are withheld."""
    with _registry(site) as (registry, _, verifier):
        registry.faults = Faults(unreadable=site.a.statement.objects.hex)
        return _from_registry(site, verifier, stolen=False)


def _hides_all(site: Site) -> str:
    with _registry(site) as (registry, _, verifier):
        registry.faults = Faults(path_status={"/referrers/": 404})
        return _from_registry(site, verifier, stolen=False)


def _stolen_push(site: Site) -> str:
    """A release that a stage's key signed, in the right place."""
    with _registry(site) as (registry, repository, verifier):
        release = build(named(evil(site)), TERMS)
        registry.put_blob(repository, release.data)
        bundle = signed(payload_of(release), "staging-cluster")
        registry.attach(repository, str(LINE), bundle, predicate_type=RELEASE)
        return _from_registry(site, verifier, stolen=True)


ROWS = (
    Trick("from a registry, as a control", _honest, ADMITTED),
    Trick(f"{JUNK} releases of a stranger pushed", _pushed_junk, "undetermined: EVIDENCE_LIMIT"),
    Trick("a registry that lies about content", _lying, "undetermined: REGISTRY_UNAVAILABLE"),
    Trick("a registry without the objects", _lying_blob, "undetermined: REGISTRY_UNAVAILABLE"),
    Trick("a registry that hides the line", _hides_all),
    Trick("a stage key's release, pushed", _stolen_push),
)
