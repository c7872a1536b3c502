"""
Where the one script stands: files that hold it as it is, and files that hold it inside YAML.

    make ci-steps        writes all of them again, from deploy/ci/shell
"""

from __future__ import annotations

from pathlib import Path

CI = Path(__file__).parents[2] / "deploy" / "ci"
SCRIPT = CI / "shell" / "stagepass-sign.sh"

COPIES = (
    CI / "jenkins" / "resources" / "dev" / "stagepass" / "stagepass-sign.sh",
    CI / "buildkite" / "lib" / "stagepass-sign.sh",
)
EMBEDDING = (
    CI / "gitlab" / "templates" / "stagepass-sign.yml",
    CI / "circleci" / "orb.yml",
    CI / "teamcity" / "stagepass-sign.yml",
    CI / "tekton" / "task.yaml",
)
_FIRST = "#!/bin/sh"


def embedded(text: str, script: str) -> str:
    """`text` with its last block, which begins with the shebang, replaced by `script`."""
    head, _, _ = text.partition(_FIRST)
    indent = head.rpartition("\n")[2]
    lines = (indent + line if line else "" for line in script.splitlines())
    return head.removesuffix(indent) + "\n".join(lines) + "\n"


def main() -> None:
    """Write every copy."""
    script = SCRIPT.read_text()
    for path in COPIES:
        path.write_text(script)
    for path in EMBEDDING:
        path.write_text(embedded(path.read_text(), script))


if __name__ == "__main__":
    main()
