"""The page and what it loads: read once, compressed once, named by digest, with a policy that runs nothing else."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
INDEX = "index.html"
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    packed: bytes
    media_type: str
    tag: str


def load_assets() -> dict[str, Asset]:
    """The files of `static/` by name; the page refers to the others with their digest, so that they may be kept for ever."""
    found = {}
    folder = resources.files(__package__).joinpath("static")
    files = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file() and any(f.name.endswith(end) for end in TYPES)}
    tags = {name: hashlib.sha256(body).hexdigest()[:16] for name, body in files.items()}
    page = files[INDEX].decode()
    for name, tag in tags.items():
        page = page.replace(f'"console/{name}"', f'"console/{name}?v={tag}"')
    files[INDEX] = page.encode()
    for name, body in files.items():
        media_type = next(kind for end, kind in TYPES.items() if name.endswith(end))
        tag = hashlib.sha256(body).hexdigest()[:16]
        found[name] = Asset(body, gzip.compress(body, 9, mtime=0), media_type, tag)
    return found


def asset_routes() -> APIRouter:
    """`/` and `/console/{file}`: no secret is in them, so they need no role; everything they show does."""
    routes = APIRouter(include_in_schema=False)
    assets = load_assets()

    @routes.get("/")
    async def page(request: Request) -> Response:
        return _answer(request, assets[INDEX], kept=False)

    @routes.get("/console")
    async def from_console() -> Response:
        return RedirectResponse("./", 307)

    @routes.get("/console/{name}")
    async def asset(request: Request, name: str) -> Response:
        found = assets.get(name)
        if found is None or name == INDEX:
            raise HTTPException(404, "console: no such file")
        return _answer(request, found, kept=request.query_params.get("v") == found.tag)

    return routes


def _answer(request: Request, found: Asset, *, kept: bool) -> Response:
    headers = {
        "Content-Security-Policy": CSP,
        "ETag": f'"{found.tag}"',
        "Cache-Control": f"public, max-age={YEAR_S}, immutable" if kept else "no-cache",
        "Vary": "Accept-Encoding",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if f'"{found.tag}"' in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, 200, {**headers, "Content-Encoding": "gzip"}, found.media_type)
    return Response(found.body, 200, headers, found.media_type)
