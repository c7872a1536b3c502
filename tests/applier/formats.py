"""A bare repository in either of Git's object formats, written by git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class FormatRepository:
    """One branch, `main`, whose tree is one file; `head` is its commit, "" before the first."""

    def __init__(self, path: Path, kind: str = "sha256") -> None:
        self.path, self.head = path, ""
        self._git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(path))

    def commit(self, content: bytes, name: str = "a") -> str:
        """A commit after the last one."""
        blob = self._git("hash-object", "-w", "--stdin", stdin=content)
        tree = self._git("mktree", stdin=f"100644 blob {blob}\t{name}\n".encode())
        after = ("-p", self.head) if self.head else ()
        self.head = self._git("commit-tree", tree, "-m", "change", *after)
        self._git("update-ref", "refs/heads/main", self.head)
        return self.head

    def _git(self, *arguments: str, stdin: bytes = b"") -> str:
        names = ("AUTHOR", "COMMITTER")
        env = {f"GIT_{name}_NAME": "Dev" for name in names}
        env |= {f"GIT_{name}_EMAIL": "dev@example.org" for name in names}
        env |= {"PATH": os.defpath, "GIT_DIR": str(self.path), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments], input=stdin, env=env, capture_output=True, check=True
        )
        return done.stdout.decode().strip()
