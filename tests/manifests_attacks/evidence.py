"""Releases that are none: signed by others, for others, replayed, withdrawn, tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stagepass.evidence import DirectorySource
from stagepass.predicates.release import RELEASE
from stagepass.predicates.revocation import Entry
from stagepass.release.artifact import line_digest
from stagepass.release.build import Terms, build
from stagepass.release.model import Release, other_subjects
from stagepass.release.store import DirectoryBlobs
from stagepass.statement import Subject, compose
from stagepass.verifier import Verifier
from tests.manifests.samples import IMAGE, an
from tests.manifests_attacks.objects import Object, alone, release_a
from tests.manifests_attacks.row import ADMITTED, REFUSED
from tests.manifests_attacks.site import TERMS, Site, digest_of, said
from tests.release.samples import COMMIT, named, payload_of
from tests.world import signed, signed_pass, signer, stored

LINE = line_digest("shop", "staging")
JUNK = 60  # over the 50 that are read of one line
_SOLO = IMAGE.replace("a" * 64, "7" * 64)


@dataclass(frozen=True, slots=True)
class Trick:
    """One row: `play` spoils a new site and says what the gate then answers."""

    name: str
    play: Callable[[Site], str]
    expected: str = REFUSED
    why: str = ""


def evil(site: Site, image: str = IMAGE) -> list[Object]:
    """What a thief wants to see admitted, in a release of an image that has passed."""
    return alone(site.empty, image, "evil")


def asked(site: Site, name: str = "evil", verifier: Verifier | None = None) -> str:
    _, settings = alone(site.empty, IMAGE, name)
    return said(site.judge(settings, verifier=verifier))


def _signed_by(by: str) -> Callable[[Site], str]:
    def play(site: Site) -> str:
        site.released(evil(site), by=by)
        return asked(site)

    return play


def _of(pipeline: str, stage: str, *, moved: bool = False) -> Callable[[Site], str]:
    """A release of another pipeline or stage; `moved` also puts it beside our line."""

    def play(site: Site) -> str:
        release = site.released(evil(site), terms=Terms(pipeline, stage, "x", COMMIT))
        if moved:
            bundle = signed(payload_of(release), "ci")
            DirectorySource(site.evidence).write(LINE, bundle)
        return asked(site)

    return play


def _two_lines(site: Site) -> str:
    """A release of `test` which names the line of `staging` among its subjects."""
    release = build(named(evil(site)), replace(TERMS, stage="test"))
    others = [*other_subjects(release.statement, "x/y", None), Subject.of("shop/staging", LINE)]
    DirectoryBlobs(site.evidence).put(release.data)
    payload = compose(
        name="release.json",
        digest=release.digest,
        predicate_type=RELEASE,
        predicate=release.statement.compose(),
        others=others,
    )
    DirectorySource(site.evidence).write(LINE, signed(payload, "ci"))
    return asked(site)


def _altered_bundle(site: Site) -> str:
    """A signed release, one digest of it replaced."""
    release = site.released(evil(site), passed=True)
    line = site.evidence / f"sha256-{LINE.hex}"
    for path in line.iterdir():
        path.write_bytes(path.read_bytes().replace(b'"payload":"ey', b'"payload":"eZ', 1))
    assert release.digest
    return asked(site)


def _blob(site: Site, release: Release) -> Path:
    return site.evidence / "blobs" / "sha256" / release.statement.objects.hex


def _tampered_blob(site: Site) -> str:
    path = _blob(site, site.released(evil(site)))
    path.write_bytes(path.read_bytes().replace(b'"a":"evil"', b'"a":"EVIL"'))
    _, settings = alone(site.empty, IMAGE, "evil")
    settings["data"]["a"] = "EVIL"
    return said(site.judge(settings))


def _swapped_blob(site: Site) -> str:
    _blob(site, site.released(evil(site))).write_bytes(site.b.data)
    return asked(site)


def _hidden(site: Site) -> str:
    """Who may write to the line takes all of it away."""
    for path in (site.evidence / f"sha256-{LINE.hex}").iterdir():
        path.unlink()
    return said(site.judge(site.attested("ConfigMap", "settings", site.empty)))


def _reordered(site: Site) -> str:
    """The oldest is shown as the newest: it is admitted as it was before."""
    line = site.evidence / f"sha256-{LINE.hex}"
    for number, path in enumerate(sorted(line.iterdir(), reverse=True)):
        path.rename(line / f"{number}.sigstore.json")
    changed = site.attested("ConfigMap", "settings", site.empty)
    admitted = said(site.judge(changed))
    changed["data"]["colour"] = "black"
    return f"{admitted}, changed {said(site.judge(changed))}"


def _junk(site: Site) -> str:
    """Signed by nobody we know, first by name, and dated in the future."""
    line = site.evidence / f"sha256-{LINE.hex}"
    for number, bundle in enumerate(junk(site)):
        (line / f"0000-{number:03}.sigstore.json").write_bytes(bundle)
    return asked(site)


def junk(site: Site, by: str = "stranger") -> Iterator[bytes]:
    for number in range(JUNK):
        release = build(named([*evil(site), *alone(site.empty, IMAGE, f"junk-{number}")]), TERMS)
        DirectoryBlobs(site.evidence).put(release.data)
        yield signed(payload_of(release), by)


def _never_together(site: Site) -> str:
    """Both images passed, each in a release of its own."""
    _both(site)
    return asked(site)


def _both(site: Site) -> Release:
    site.released(alone(site.empty, _SOLO, "solo"))
    return site.released([*evil(site), *alone(site.empty, _SOLO, "solo")], passed=False)


def _without_pass(site: Site) -> str:
    unknown = IMAGE.replace("a" * 64, "9" * 64)
    site.released(evil(site, unknown), passed=False)
    return asked(site)


def _pass_of_the_release_alone(site: Site) -> str:
    """The thief of a stage key signs the pass of a set that never ran: only `test` may."""
    release = _both(site)
    for image in (IMAGE, _SOLO):
        changes = {"release": {"imageSet": {"sha256": release.image_set.hex}}}
        moment = datetime.now(UTC)
        by = "staging-cluster"
        bundle = signed_pass(by=by, digest=digest_of(image), at=moment, changes=changes)
        stored(site.evidence, [bundle], digest_of(image))
    return asked(site)


def _revoked_release(site: Site) -> str:
    """A good release, until its digest is on the list."""
    release = site.released(evil(site))
    before = asked(site)
    site.revoke(Entry("artifact", release.digest.hex, "withdrawn"))
    return f"{before}, then {asked(site)}"


def _revoked_key(site: Site) -> str:
    site.revoke(Entry("key", signer("ci").private.public.id, "stolen"))
    return said(site.judge(site.attested("ConfigMap", "settings", site.empty)))


def _no_own_image(site: Site) -> str:
    """Settings alone would skip every stage before."""
    objects = alone(site.empty, "mesh.example.com/x@" + IMAGE.partition("@")[2], "evil")
    site.released(objects)
    return asked(site)


def _another_place(site: Site) -> str:
    """Objects of a release, in a namespace of the stage that it does not name."""
    document = an("v1", "ConfigMap", "settings", data=release_a("x")[1]["data"])
    document["metadata"]["namespace"] = "gate-evil"
    return said(site.judge(document))


ROWS = (
    Trick("a release, as a control", _signed_by("ci"), ADMITTED),
    Trick("signed with a stolen key of the stage before", _signed_by("test-cluster")),
    Trick("signed with a stolen key of the stage itself", _signed_by("staging-cluster")),
    Trick("signed by a stranger", _signed_by("stranger")),
    Trick("of another stage", _of("shop", "test")),
    Trick("of another stage, moved beside our line", _of("shop", "test", moved=True)),
    Trick("of another pipeline", _of("cart", "staging")),
    Trick("of another pipeline, moved beside our line", _of("cart", "staging", moved=True)),
    Trick("of another stage, which also names our line", _two_lines),
    Trick("a bundle that was altered", _altered_bundle),
    Trick("objects that were altered", _tampered_blob, "undetermined: REGISTRY_UNAVAILABLE"),
    Trick("objects of another release", _swapped_blob, "undetermined: REGISTRY_UNAVAILABLE"),
    Trick("a line that was emptied", _hidden),
    Trick("a line in another order", _reordered, f"{ADMITTED}, changed {REFUSED}"),
    Trick(f"{JUNK} releases of a stranger before it", _junk, "undetermined: EVIDENCE_LIMIT"),
    Trick(
        "two images that passed, never together",
        _never_together,
        "denied: PASS_MISSING, SUBJECT_MISMATCH",
    ),
    Trick("an image that never passed", _without_pass, "denied: PASS_MISSING"),
    Trick(
        "a pass by the wrong stage's key",
        _pass_of_the_release_alone,
        "denied: PASS_MISSING, STATEMENT_INVALID, SUBJECT_MISMATCH",
    ),
    Trick("withdrawn after it was admitted", _revoked_release, f"{ADMITTED}, then {REFUSED}"),
    Trick("signed with a key that was revoked", _revoked_key),
    Trick("without an image of the pipeline", _no_own_image),
    Trick("in a namespace that it does not name", _another_place),
)
