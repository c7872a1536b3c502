"""What every deciding command asks: the gate's own verifier, on what --evidence names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stagepass.cache import DecisionCache
from stagepass.cli import options
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.policy.model import PolicySet
from stagepass.release.book import ReleaseBook
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier


def verifier(
    policy: PolicySet, names: Sequence[str], *, offline: bool, cached: bool = False
) -> Verifier:
    """
    Decides as the gate does, on evidence and releases alike; `cached`: many objects share images.

    Only the registries that the policy names are asked.
    """
    found = [source(name, policy.hosts, offline=offline) for name in names]
    book = ReleaseBook(policy, found, Shelf())
    cache = DecisionCache() if cached else None
    return Verifier(policy, [each.bundles for each in found], cache, releases=book)


def source(
    name: str,
    hosts: Callable[[], frozenset[str]],
    *,
    offline: bool,
    listing_seconds: float | None = None,
) -> ReleaseSource:
    """One source that --evidence names; `hosts` are the registries that may be asked."""
    if directories := options.directories([name]):
        return ReleaseSource.directory(directories[0].root)
    if offline:
        (nothing,) = options.sources([name], offline=True, hosts=frozenset())
        return ReleaseSource(nothing, _Offline(), is_remote=True)
    from stagepass.registry.listings import LISTING_SECONDS
    from stagepass.registry.source import RegistrySource
    from stagepass.release.pushed import RegistryBlobs

    client = options.registry_client(hosts())
    seconds = LISTING_SECONDS if listing_seconds is None else listing_seconds
    bundles = RegistrySource(client, listing_seconds=seconds)
    return ReleaseSource(bundles, RegistryBlobs(client), is_remote=True)


class _Offline:
    """Stands for the blobs of a registry that may not be asked."""

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:  # noqa: ARG002
        """Never a byte. Raises `Unavailable`."""
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, f"--offline: {repository.host} was not asked")
