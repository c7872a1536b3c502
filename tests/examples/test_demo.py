from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_gets_every_answer_right() -> None:
    """`make demo` is the product's promise: real keys, two real gates, honest and hostile versions."""
    played = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
    )

    assert played.returncode == 0, played.stdout + played.stderr
    assert "All eleven answers as expected." in played.stdout
    assert "SUBJECT_MISMATCH" in played.stdout
    assert 'spec.template.spec.containers[0].args[1]: got "--debug",' in played.stdout
    assert "spec.template.spec.volumes: got" in played.stdout
    assert played.stderr == ""
