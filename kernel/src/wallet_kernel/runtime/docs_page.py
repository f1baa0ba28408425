"""The page at /docs: Swagger UI for /openapi.json. It works without the internet, because a package has its files."""

from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PAGE_PATH: Final = "/docs"


class _Asset(NamedTuple):
    file: str
    media_type: str


_ASSETS: Final = {
    "/docs/swagger-ui.js": _Asset("swagger-ui-bundle.js", "text/javascript"),
    "/docs/swagger-ui.css": _Asset("swagger-ui.css", "text/css"),
    "/docs/favicon.png": _Asset("favicon.png", "image/png"),
}
DOCS_PATHS: Final = frozenset({PAGE_PATH, *_ASSETS})
"""The page and the files it loads. They need no API key, like the document that they show."""

# The policy keeps the browser from loading anything from other hosts.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


def docs_routes(title: str, openapi_url: str) -> list[Route]:
    """Returns the routes of the page and of its files."""
    page = _page(title, openapi_url)

    async def docs(_: Request) -> Response:
        return page

    return [Route(PAGE_PATH, docs), *(Route(path, _asset) for path in _ASSETS)]


def _page(title: str, openapi_url: str) -> HTMLResponse:
    script, style, icon = _ASSETS
    page = get_swagger_ui_html(
        openapi_url=openapi_url,
        title=title,
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["content-security-policy"] = _POLICY
    return page


async def _asset(request: Request) -> Response:
    asset = _ASSETS[request.url.path]
    return Response(
        _content(asset.file), media_type=asset.media_type, headers={"cache-control": "max-age=3600"}
    )


@cache
def _content(file: str) -> bytes:
    return (files("fastapi_offline") / "static" / file).read_bytes()
