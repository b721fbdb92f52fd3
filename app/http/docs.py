"""The page at `/docs` that shows the contract: its script and style come with this service.

Nothing of it comes from another host, and nothing on it runs that is not a file of ours.
"""

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from app.core.errors import NotFound

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: the contract</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="contract"><noscript>This page needs JavaScript; the contract itself is
<a href="openapi.json">openapi.json</a>.</noscript></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#contract",
  deepLinking: true,
  // Whoever tries an operation here may sign in; nothing of it outlives the page.
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_TYPES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def contract_page(request: Request) -> HTMLResponse:
    """The contract, operation by operation."""
    app: FastAPI = request.app
    return HTMLResponse(
        _PAGE.format(title=app.title),
        headers={"Content-Security-Policy": _CSP},
    )


@router.get("/{name}")
async def contract_file(name: str) -> Response:
    """What the page is made of. Raises `NotFound`."""
    if name == "start.js":
        content, kind = _START.encode(), "text/javascript"
    elif name in _TYPES:
        content, kind = (files("fastapi_offline") / "static" / name).read_bytes(), _TYPES[name]
    else:
        raise NotFound
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(content, media_type=kind, headers=headers)
