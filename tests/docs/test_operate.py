from __future__ import annotations

import re
from collections import Counter

import pytest

from applier.failure import Reason
from applier.noting import MAX_ATTEMPTS
from applier.rules import Rules
from applier.watching import GAP
from tests.repository.sources import ROOT

_OPERATE = (ROOT / "docs" / "operate-applier.md").read_text()
_PAGES = ("README.md", "docs/operate-applier.md", "docs/tutorial.md")
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


def test_every_code_has_its_remedy_once() -> None:
    """The table of what to do is `applier.failure.Reason`."""
    cells = re.findall(r"^\| (`[A-Z_`, ]+`) \|", _OPERATE, re.MULTILINE)
    codes = [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]

    assert Counter(codes) == Counter(reason.name for reason in Reason)


def test_the_numbers_are_those_of_the_program() -> None:
    assert MAX_ATTEMPTS == 4
    assert "after four tries" in _OPERATE
    assert f"more than {GAP.total_seconds():.0f} seconds between two looks" in _OPERATE
    assert f"more than {Rules('x', ()).max_prune * 100:.0f} % of the managed" in _OPERATE


@pytest.mark.parametrize("name", _PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """Files are there, and so are the headings."""
    page = ROOT / name
    for path, anchor in _LINK.findall(page.read_text()):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target.read_text()), f"{path}#{anchor}"


def _anchors(text: str) -> set[str]:
    """As a forge makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
