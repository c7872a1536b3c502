from __future__ import annotations

from applier.failure import Phase, Reason
from tests.docs.applier import page
from tests.repository.sources import ROOT


def test_the_reference_of_the_applier_is_current() -> None:
    """A command, field, reason or metric that is added or changed is documented with it."""
    assert (ROOT / "docs" / "applier-reference.md").read_text() == page(), (
        "run: .venv/bin/python -m tests.docs.applier > docs/applier-reference.md"
    )


def test_the_crd_knows_every_phase() -> None:
    """Else the API server would refuse a letter, and it would be lost."""
    text = (ROOT / "deploy" / "crds" / "deadletters.yaml").read_text()
    assert f"enum: [{', '.join(Phase)}]" in text
    assert {reason.phase for reason in Reason} == set(Phase)
