"""Evidence that names releases, and what may be known of a manifest, for `language`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.policy.releases import Attested, Claim, Unattested
from tests.policy.signed import approval, receipt
from tests.property.worlds import MAY_SIGN
from tests.world import signed_pass

RELEASES = {
    name: Attested(Digest.of(name.encode()), Digest.of(images.encode()))
    for name, images in (
        ("release 1", "images 1"),
        ("release 2", "images 2"),
        ("release 3", "images 1"),
    )
}
"""The third is of the same images as the first, as the release of another stage is."""
_CLAIMS: list[Claim] = [
    *RELEASES.values(),
    Unattested(Code.MANIFEST_UNATTESTED, "no release names it"),
    Unattested(Code.MANIFEST_DIFFERS, "got 1, attested 2", "spec.replicas"),
]


def _of_shop(claim: Claim) -> dict[str, Claim]:
    return {"shop": claim}


claims: st.SearchStrategy[dict[str, Claim]] = (
    st.dictionaries(st.sampled_from(["shop", "second"]), st.sampled_from(_CLAIMS), max_size=2)
    | st.sampled_from(list(RELEASES.values())).map(_of_shop)
    | st.just(dict[str, Claim]())
)
"""What may be known of a manifest, by pipeline."""


def named(release: Attested) -> dict[str, Any]:
    """Changes that make a statement name this release."""
    digests = {"digest": release.release, "imageSet": release.image_set}
    return {"release": {name: {"sha256": digest.hex} for name, digest in digests.items()}}


def _entered(stage: str, cluster: str, release: Attested) -> dict[str, Any]:
    return {"stage": stage, "environment.clusterName": cluster, **named(release)}


OF_RELEASES = {
    f"{name}, of {release}": bundle
    for release, attested in RELEASES.items()
    for name, bundle in {
        **{f"{s}@{c}": signed_pass(s, c, changes=named(attested)) for s, c in MAY_SIGN},
        "alice approves": approval("alice", changes=named(attested)),
        "bob approves": approval("bob", changes=named(attested)),
        "entered prod-eu": receipt(changes=named(attested)),
        "entered staging": receipt(
            "staging-cluster", changes=_entered("staging", "staging", attested)
        ),
    }.items()
}
"""As good as what names no release, each of one."""
