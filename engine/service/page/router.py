"""Serves the page's own files. What it shows, it asks the API for, as any other client does.

A report is hostile until proven otherwise. The page's scripts insert every word of it as text;
should one ever fail to, the policy below lets the browser run nothing but the files in `assets`,
take no markup from a string, and speak to no other host.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.service.service import of

router = APIRouter(include_in_schema=False)

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@router.get("/")
async def page(request: Request) -> Response:
    """Return the page."""
    most = f"{of(request).settings.max_request_mb:g}"
    content = asset("index.html").replace(b"{most_megabytes}", most.encode())
    return Response(content, media_type=MEDIA_TYPES["html"], headers=HEADERS)


@router.get("/page/{name}")
async def part(name: str) -> Response:
    """Return a file that the page is made of."""
    suffix = name.rpartition(".")[2]
    # A plain name of a known kind: no path leads out of the folder.
    if not re.fullmatch(r"[a-z]+\.(?:css|js|svg)", name) or not _folder().joinpath(name).is_file():
        raise HTTPException(404)
    return Response(asset(name), media_type=MEDIA_TYPES[suffix], headers=HEADERS)


@cache
def asset(name: str) -> bytes:
    """Return a file's content; it is read once."""
    return _folder().joinpath(name).read_bytes()


def _folder() -> Traversable:
    return files("engine.service.page") / "assets"
