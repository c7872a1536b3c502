from __future__ import annotations

from tests.docs.commands import page
from tests.repository.sources import ROOT


def test_the_page_of_commands_is_current() -> None:
    """A command or option that is added or changed is documented with it."""
    assert (ROOT / "docs" / "commands.md").read_text() == page(), (
        "run: .venv/bin/python -m tests.docs.commands > docs/commands.md"
    )
