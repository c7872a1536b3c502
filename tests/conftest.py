from __future__ import annotations

import os

import pytest

from tests.cluster import tools

_UNBUILT = "the real programs are not built"


def _why_unbuilt() -> str | None:
    """Why the tests marked `cluster` cannot run, or None if they can."""
    if not tools.has_go():
        return f"{_UNBUILT} and there is no Go toolchain on PATH; install one, then"
    wanted = {name for module in tools.MODULES for name in module.commands.values()}
    missing = sorted(wanted - tools.binaries().keys())
    return f"{_UNBUILT} ({', '.join(missing)});" if missing else None


@pytest.hookimpl(trylast=True)  # after -m and -k have taken out what nobody asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests marked `cluster` where their programs are missing; in CI, refuse to."""
    marked = [item for item in items if item.get_closest_marker("cluster")]
    reason = _why_unbuilt() if marked else None
    if reason is None:
        return
    if not (os.environ.get("CI") and tools.has_go()):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"{reason} run `make tools`"))
    elif not hasattr(config, "workerinput"):  # pytest-xdist loses an exit's text: there, they fail
        pytest.exit(
            f"CI must not skip {len(marked)} tests: {reason} run `make tools`", returncode=1
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line; counted from reports, which are all that a pytest-xdist controller sees."""
    skipped = (report.longrepr for report in terminalreporter.getreports("skipped"))
    reasons = [str(each[2]) for each in skipped if isinstance(each, tuple) and _UNBUILT in each[2]]
    if reasons:
        what = f"SKIPPED: {len(reasons)} tests against the real control plane and cosign"
        terminalreporter.write_line(
            f"{what}: {reasons[0].removeprefix('Skipped: ')}", yellow=True, bold=True
        )
