"""The page at /docs works without the internet."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wallet_kernel.runtime.apps import public_app
from wallet_kernel.runtime.lifecycle import Lifecycle

pytestmark = pytest.mark.anyio
Exchange = Callable[..., Coroutine[Any, Any, Any]]

APP = public_app(
    "test", [], {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}, Lifecycle(10)
)


async def test_docs_page_loads_files_of_its_own_host_only(exchange: Exchange) -> None:
    """The service itself serves every file that /docs loads."""
    page = await exchange(APP, "GET", "/docs")
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.body.decode())
    assert len(loaded) == 3
    for path in loaded:
        assert path.startswith("/docs/")
        assert (await exchange(APP, "GET", path)).status == 200


async def test_docs_page_forbids_other_hosts_to_the_browser(exchange: Exchange) -> None:
    """A Content-Security-Policy prevents the page from loading anything from other hosts."""
    page = await exchange(APP, "GET", "/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"]


async def test_docs_viewer_reads_openapi_3_1(exchange: Exchange) -> None:
    """The page uses Swagger UI 5 or newer, because older ones refuse an OpenAPI 3.1 document."""
    script = await exchange(APP, "GET", "/docs/swagger-ui.js")
    assert b"openapi-3-1" in script.body
