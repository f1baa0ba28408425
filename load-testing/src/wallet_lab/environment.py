"""Which of the user's environment variables reach what the lab starts; load-testing/README.md has the reasons.

Anything else is left out: libpq, Erlang, k6, Compose and others change what they do by variables that a user set for
other work. `./lab` itself, the script, does the same for Python, pip, uv and the dynamic linker.
"""

import os
from collections.abc import Mapping, MutableMapping

BARE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}
"""What every server gets."""

_SERVICES = ("WALLET_", "OTEL_")
# Only a test or a contributor who runs the package itself has these; `./lab` removes them.
_INTERPRETER = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
# asyncpg, Git and Matplotlib inside the lab's own process; Compose and the tools of `./lab test` as its children.
_UNWANTED = ("PG", "GIT_", "MPL", "MATPLOTLIB", "COMPOSE_", "PYTEST_", "RUFF_", "MYPY")
_LOOPBACK = "127.0.0.1,localhost"


def of_service(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of services and of tracing, and where the interpreter imports from."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.startswith(_SERVICES) or name in {*_INTERPRETER, *_CERTIFICATES}
    }
    return {**BARE, **kept}


def of_installer(environ: Mapping[str, str]) -> dict[str, str]:
    """How apt reaches its mirrors, and nothing else."""
    kept = {name: value for name, value in environ.items() if name.lower() in _PROXIES}
    return {**BARE, **kept, "DEBIAN_FRONTEND": "noninteractive"}


def clean(environ: MutableMapping[str, str]) -> None:
    """Take out of the lab's own environment what would change its work; the loopback needs no proxy."""
    for name in [name for name in environ if name.startswith(_UNWANTED)]:
        del environ[name]
    for name in ("no_proxy", "NO_PROXY"):
        environ[name] = ",".join(filter(None, (_LOOPBACK, environ.get(name))))


def clean_own() -> None:
    """Clean the environment of this process, and so of all that it starts."""
    clean(os.environ)
