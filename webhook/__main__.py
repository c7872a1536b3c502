"""`python -m webhook`: check the settings, then become gunicorn."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile

from stagepass.errors import StagepassError
from webhook.settings import Settings
from webhook.tls import ServerContext


def main() -> int:
    """Become gunicorn; return 64, with one line that says why, where the settings are unusable."""
    try:
        settings = Settings.from_environ(os.environ)
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
    command = [sys.executable, "-m", "gunicorn", "-c", "python:webhook.gunicorn_conf"]
    return os.execv(sys.executable, command)  # noqa: S606  # the settings above are all it is given


if __name__ == "__main__":
    sys.exit(main())
