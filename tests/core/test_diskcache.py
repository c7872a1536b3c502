from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.diskcache import EvidenceCache
from stagepass.errors import StagepassError
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline, DirectorySource, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.world import (
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    PROD_EU,
    PROVENANCE,
    STAGING,
    STRANGER,
    TEST,
    VULNERABILITIES,
    good_evidence,
    policy_set,
    signed_claim,
    signed_pass,
    stored,
)

POLICY = policy_set()
DOWN = Code.REGISTRY_UNAVAILABLE


def decide(
    root: Path,
    *sources: EvidenceSource,
    image: ImageRef = IMAGE,
    place: Place = PROD_EU,
    policy: PolicySet = POLICY,
) -> Decision:
    """By a gate started now, with the cache in `root`."""
    verifier = Verifier(policy, sources, store=EvidenceCache(root))
    return verifier.decide(image, place, now=NOW, deadline=Deadline.after(60))


def bundles(root: Path) -> list[Path]:
    return sorted(root.glob("sha256-*/*"))


def warm(root: Path) -> Path:
    """A cache that holds all that admits the image to production."""
    assert decide(root, MemorySource(good_evidence())).answer is Answer.ADMITTED
    return root


def test_a_warm_start_admits_what_was_proven_while_the_registry_is_down(tmp_path: Path) -> None:
    """And asks nobody."""
    registry = MemorySource(failure=DOWN)

    assert decide(warm(tmp_path), registry).answer is Answer.ADMITTED
    assert registry.calls == 0


def test_it_is_an_evidence_directory(tmp_path: Path) -> None:
    source = DirectorySource(warm(tmp_path))

    verifier = Verifier(POLICY, [source])
    assert (
        verifier.decide(IMAGE, PROD_EU, now=NOW, deadline=Deadline.after(60)).answer
        is Answer.ADMITTED
    )


def test_what_is_unmet_is_still_asked_for(tmp_path: Path) -> None:
    """A gate that knows half of it asks for the rest, and then keeps that too."""
    evidence = good_evidence()
    decide(tmp_path, MemorySource(evidence[:2]))
    assert decide(tmp_path, MemorySource(evidence)).answer is Answer.ADMITTED

    assert decide(tmp_path, MemorySource(failure=DOWN)).answer is Answer.ADMITTED
    assert len(bundles(tmp_path)) == len(evidence)


def test_only_what_verified_for_the_digest_is_kept(tmp_path: Path) -> None:
    bad = [
        b"junk",
        signed_pass("test", by=STRANGER + "-unknown"),
        signed_pass("staging", digest=OTHER_DIGEST),
        good_evidence()[0].replace(b'"payload":"', b'"payload":"e'),
    ]
    good = signed_claim(PROVENANCE, "ci")
    decide(tmp_path, MemorySource([*bad, good]))

    assert [path.read_bytes() for path in bundles(tmp_path)] == [good]
    (path,) = bundles(tmp_path)
    assert path.parent.name == f"sha256-{DIGEST.hex}"


def test_what_a_directory_holds_is_not_kept_twice(tmp_path: Path) -> None:
    directory = DirectorySource(stored(tmp_path / "evidence", good_evidence()))
    (tmp_path / "cache").mkdir()
    assert decide(tmp_path / "cache", directory).answer is Answer.ADMITTED

    assert bundles(tmp_path / "cache") == []


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """At every seventh byte of the one bundle: never admitted by it, and never denied because of it."""
    assert decide(tmp_path, MemorySource([signed_pass()]), place=STAGING).answer is Answer.ADMITTED
    (path,) = bundles(tmp_path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        other = bytearray(whole)
        other[position] ^= 4
        path.write_bytes(other)
        is_admitted = decide(tmp_path, place=STAGING).answer is Answer.ADMITTED
        assert is_admitted is _means_the_same(whole, bytes(other)), position
        again = decide(tmp_path, MemorySource(failure=DOWN), place=STAGING)
        assert again.answer is not Answer.DENIED


def _means_the_same(whole: bytes, other: bytes) -> bool:
    """What no signature covers is a hint: it may be anything, while the signed statement is the same."""
    one, two = (POLICY.keys.verify(Candidate(data, ""), DIGEST) for data in (whole, other))
    return one == two


def test_swapped_entries_are_found(tmp_path: Path) -> None:
    """The evidence of one image under the digest of another admits neither."""
    others = [
        signed_claim(PROVENANCE, "ci", digest=OTHER_DIGEST),
        signed_claim(VULNERABILITIES, "scanner", digest=OTHER_DIGEST),
    ]
    warm(tmp_path)
    decide(tmp_path, MemorySource(others), image=OTHER_IMAGE, place=TEST)
    one, two = (tmp_path / f"sha256-{d.hex}" for d in (DIGEST, OTHER_DIGEST))
    one.rename(tmp_path / "between")
    two.rename(one)
    (tmp_path / "between").rename(two)

    for image in (IMAGE, OTHER_IMAGE):
        decision = decide(tmp_path, image=image)
        assert decision.answer is Answer.DENIED
        assert "SUBJECT_MISMATCH" in {v.code for v in decision.violations}


def test_a_planted_forgery_is_found(tmp_path: Path) -> None:
    """Signed with a key of the attacker's own, or by a signer who may not say that."""
    forged = [signed_pass("test", by="mallory"), signed_pass("staging", by="ci")]
    stored(tmp_path, [*forged, *good_evidence()[:2]])

    assert decide(tmp_path).answer is Answer.DENIED


def test_a_key_taken_out_of_the_policy_is_taken_out_of_the_cache(tmp_path: Path) -> None:
    """No verdict is kept: the set of today judges the bytes of yesterday."""
    evidence = [signed_pass("test")]
    assert decide(tmp_path, MemorySource(evidence), place=STAGING).answer is Answer.ADMITTED
    stranger = {"file": f"keys/{STRANGER}.pub", "owner": "test-cluster"}
    other = policy_set({"attestors.test-cluster.keys.0": stranger})

    assert decide(tmp_path, place=STAGING, policy=other).answer is Answer.DENIED


def test_rubbish_in_it_hides_nothing_in_the_registry(tmp_path: Path) -> None:
    """Over the limit, of which a directory would say that it cannot know."""
    stored(tmp_path, [f"junk {i}".encode() for i in range(MAX_CANDIDATES + 5)])
    folder = tmp_path / f"sha256-{DIGEST.hex}"
    (folder / "0.sigstore.json").mkdir()
    os.mkfifo(folder / "1.sigstore.json")

    assert decide(tmp_path, MemorySource()).answer is Answer.DENIED
    assert decide(tmp_path, MemorySource(good_evidence())).answer is Answer.ADMITTED


_NO_DIRECTORIES = ["gone", "a file", "folder is a file"]


@pytest.mark.parametrize("kind", _NO_DIRECTORIES)
def test_a_cache_that_cannot_be_used_changes_no_verdict(tmp_path: Path, kind: str) -> None:
    """V61: an error while writing a cache once denied everything. It is told of, and that is all."""
    root = tmp_path / "cache"
    if kind == "a file":
        root.write_text("")
    elif kind == "folder is a file":
        root.mkdir()
        (root / f"sha256-{DIGEST.hex}").write_text("")
    told: list[StagepassError] = []
    verifier = Verifier(
        POLICY, [MemorySource(good_evidence())], store=EvidenceCache(root, tell=told.append)
    )
    decision = verifier.decide(IMAGE, PROD_EU, now=NOW, deadline=Deadline.after(60))

    assert decision.answer is Answer.ADMITTED
    assert told
    empty = decide(root, MemorySource())
    assert empty.answer is Answer.DENIED


_FULL = """
import resource, sys
from pathlib import Path
from tests.core.test_diskcache import decide
from tests.core.sources import MemorySource
from tests.world import good_evidence

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
print(decide(Path(sys.argv[1]), MemorySource(good_evidence())).answer)
"""


def test_a_full_disk_changes_no_verdict_and_leaves_no_half_bundle(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FULL, str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout == "admitted\n"
    assert list(tmp_path.glob("sha256-*/*.sigstore.json")) == []
