"""Selects the user's environment variables that reach the lab's processes; load-testing/README.md has the reasons.

All other variables are removed. libpq, Erlang, k6, Compose and others read variables that a user may have set for other
work. The script `./lab` does the same for Python, pip, uv and the dynamic linker.
"""

import os
from collections.abc import Mapping, MutableMapping

BARE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}
"""The variables that every server gets."""

_SERVICES = ("WALLET_", "OTEL_")
# Only tests, or contributors who run the package directly, set these; `./lab` removes them.
_INTERPRETER = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
# Read by asyncpg, Git and Matplotlib in the lab's own process, and by its children: Compose and the tools of `./lab
# test`.
_UNWANTED = ("PG", "GIT_", "MPL", "MATPLOTLIB", "COMPOSE_", "PYTEST_", "RUFF_", "MYPY")
_LOOPBACK = "127.0.0.1,localhost"


def of_service(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of services and of tracing, and Python's import path."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.startswith(_SERVICES) or name in {*_INTERPRETER, *_CERTIFICATES}
    }
    return {**BARE, **kept}


def of_installer(environ: Mapping[str, str]) -> dict[str, str]:
    """Return only the variables that apt needs to reach its mirrors."""
    kept = {name: value for name, value in environ.items() if name.lower() in _PROXIES}
    return {**BARE, **kept, "DEBIAN_FRONTEND": "noninteractive"}


def clean(environ: MutableMapping[str, str]) -> None:
    """Remove variables that would change the lab's own work, and exempt the loopback from proxies."""
    for name in [name for name in environ if name.startswith(_UNWANTED)]:
        del environ[name]
    for name in ("no_proxy", "NO_PROXY"):
        environ[name] = ",".join(filter(None, (_LOOPBACK, environ.get(name))))


def clean_own() -> None:
    """Clean the environment of this process and of its children."""
    clean(os.environ)
