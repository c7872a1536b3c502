"""`python -m webhook`: check the settings, then become gunicorn; `watch`: the watchdog."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Sequence

from stagepass.errors import StagepassError
from webhook import watchdog
from webhook.settings import Settings
from webhook.tls import ServerContext


def main(arguments: Sequence[str]) -> int:
    """Be the gate, or with `watch` its watchdog. Returns 64 for anything else."""
    if list(arguments) == ["watch"]:
        return _watch()
    if arguments:
        print("error: the gate takes no argument, its watchdog `watch` alone", file=sys.stderr)
        return 64
    return _serve()


def _watch() -> int:
    try:
        watchdog.run(os.environ)
    except (StagepassError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 64
    return 0


def _serve() -> int:
    """Become gunicorn; return 64, with one line that says why, where the settings are unusable."""
    try:
        settings = Settings.from_environ(os.environ)
        settings.require_root_key()
        ServerContext(settings.tls_directory)
    except StagepassError as error:
        print(f"error: {error}", file=sys.stderr)
        return 64
    except (OSError, ssl.SSLError) as error:
        where = settings.tls_directory
        print(
            f"error: STAGEPASS_TLS_DIR: no usable tls.crt and tls.key in {where}: {error}",
            file=sys.stderr,
        )
        return 64
    # prometheus_client looks for this the moment it is imported, so it is set before gunicorn is.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="stagepass-metrics-")
    # glibc gives each thread a heap of its own: eight of them held 1 MiB more a worker.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:webhook.gunicorn_conf"]
    return os.execv(sys.executable, command)  # noqa: S606  # the settings above are all it is given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
