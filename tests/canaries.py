"""What must not turn up where it doesn't belong, put into every part of every request."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx

from app.accounts.models import Role
from tests.accounts import make_app, signed_in
from tests.servers import METRICS_TOKEN, ROOT, SECRET, Service

LAT, LON = "51.5137246813", "-0.0981357913"
EMAIL = "mira.quill@canary-mail.test"
PASSWORD = "canary-horse-battery-9471"
TOKEN = "canary-token-55820394"

SECRETS = re.compile(
    b"|".join(re.escape(s.encode()) for s in (PASSWORD, TOKEN, SECRET, METRICS_TOKEN))
)
"""What nothing may hold."""

CANARIES = re.compile(
    SECRETS.pattern + rb"|51\.51372|\.0981357|37246813|81357913|mira.{1,3}quill|canary-mail"
)
"""What nothing may hold but the register, and who reads it there."""

PASSWORDS = {"password", "current", "new", "current_password", "new_password"}
"""Fields that take one."""

HOURS = {"opening_hours", "text"}
"""Fields of which an error names the part that can't be understood, to the officer who typed it."""

JUNK = {
    "Referer": f"https://a.test/?lat={LAT}&email={EMAIL}",
    "User-Agent": f"{LAT} {EMAIL}",
    "Authorization": f"Bearer {TOKEN}",
    "Cookie": f"session={TOKEN}; position={LAT}",
    "X-Forwarded-For": LAT,
    "X-Request-ID": "51513724681300981357913" + "0" * 9,
    "Idempotency-Key": f"{EMAIL}",
    "If-Match": f'"{LAT}"',
    "If-None-Match": f'"{EMAIL}"',
    "Origin": f"https://{LAT}.test",
    "Accept-Language": f"{LAT}, en;q={LON}",
}


@dataclass(frozen=True)
class Ask:
    """One request; that of a page gives back to its sender the address, and what was typed."""

    method: str
    target: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_page: bool = False


def contract() -> Any:
    """The published contract of all there is."""
    return json.loads((ROOT / "openapi" / "full.json").read_text())


def asks(
    pages: set[tuple[str, str]], ids: Mapping[str, str] | None = None, *, each: bool = False
) -> Iterator[Ask]:
    """Requests to every operation of the contract and every page, with canaries wherever something
    can be said: all at once, or each part by itself as well.

    `ids` are of records that exist, by the path of their list.
    """
    canaries = cycle((LAT, EMAIL))
    published = contract()["paths"]
    for path, operations in published.items():
        for method, operation in operations.items():
            names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
            queries = [{name: next(canaries) for name in [*names, "canary"]}]
            if each:
                queries += [{}, *({name: canary} for name in names for canary in (LAT, EMAIL))]
            bodies = [*_bodies(operation, each=each)] or [(b"", {})]
            for target in _targets(path, ids or {}, each=each):
                for query in queries:
                    yield Ask(method.upper(), f"{target}?{urlencode(query)}", *bodies[0])
                for body in bodies[1:]:
                    yield Ask(method.upper(), target, *body)
    form = urlencode({"comment": EMAIL, "kind": EMAIL, "place": LAT, "lat": LAT, "lon": LON})
    of_forms = {"Content-Type": "application/x-www-form-urlencoded"}
    for method, path in sorted(page for page in pages if page[1] not in published):
        in_polish = re.sub(r"\{language[^}]*\}", "pl", path)
        for target in _targets(in_polish, ids or {}, each=each):
            if method == "POST":
                yield Ask(method, target, form.encode(), of_forms, is_page=True)
            else:
                yield Ask(method, f"{target}?canary={EMAIL}&{LAT}={LON}", is_page=True)


_UNKNOWN = cycle((str(uuid4()), quote(EMAIL, safe=""), f"{LAT},{LON}"))


def _targets(path: str, ids: Mapping[str, str], *, each: bool) -> Iterator[str]:
    if "{" not in path:
        yield path
        return
    for begin, value in ids.items():
        path = re.sub(re.escape(begin) + r"/\{\w+\}", f"{begin}/{value}", path)
    for _ in range(3 if each else 1):
        unknown = next(_UNKNOWN)
        yield re.sub(r"\{\w+\}", unknown, path)


def _bodies(operation: Any, *, each: bool) -> Iterator[tuple[bytes, dict[str, str]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        headers = {"Content-Type": kind}
        examples = [e["value"] for e in content.get("examples", {}).values()]
        for example in [content["example"]] if "example" in content else examples:
            if kind == "application/json":
                yield json.dumps(_with_canaries(example, None)).encode(), headers
                for place in range(_places(example) if each else 0):
                    yield json.dumps(_with_canaries(example, place)).encode(), headers
            elif isinstance(example, dict):
                given = {name: PASSWORD if name in PASSWORDS else EMAIL for name in example}
                yield urlencode(given).encode(), headers
            else:
                yield f"reference,name,latitude\nA-1,{EMAIL},x\n".encode(), headers
        yield f'{{"{EMAIL}": {LAT}, "canary": '.encode(), headers


def _places(example: Any) -> int:
    if isinstance(example, dict):
        return sum(map(_places, example.values()))
    if isinstance(example, list):
        return sum(map(_places, example))
    return 1


def _with_canaries(example: Any, place: int | None) -> Any:
    """The example with a canary at one place, or at all."""
    numbers = iter(range(1_000_000))
    canaries = cycle((EMAIL, LAT))

    def changed(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: changed(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [changed(inner, name) for inner in value]
        here = next(numbers)
        if place not in (None, here) or name in HOURS:
            return value
        return PASSWORD if name in PASSWORDS else next(canaries)

    return changed(example, "")


def heard(client: httpx.Client, ask: Ask, more: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """The status, the headers and the body of the answer to a request."""
    response = client.request(
        ask.method,
        "/",
        content=ask.content or None,
        headers={**ask.headers, **more},
        extensions={"target": ask.target.encode()},
    )
    headers = b"\n".join(b": ".join(pair) for pair in response.headers.raw)
    return response.status_code, headers, response.content


def wrong(client: httpx.Client, ask: Ask, signed_in: Mapping[str, str]) -> Iterator[str]:
    """What of the answers to a request is not as it must be: to strangers, and to who may read."""
    for more in (JUNK, signed_in):
        status, headers, body = heard(client, ask, more)
        may_be_there = ask.is_page or (more is signed_in and (status < 400 or _lists_cells(ask)))
        if status >= 500 and status != 503:
            yield f"{ask} was answered {status}"
        if CANARIES.search(headers):
            yield f"{ask} came back in a header"
        if found := (SECRETS if may_be_there else CANARIES).search(body):
            near = body[max(0, found.start() - 40) : found.end()]
            yield f"{ask} came back in an answer {status}: {near!r}"


def _lists_cells(ask: Ask) -> bool:
    """Whether the answer lists to an officer what is wrong in the cells of their own sheet."""
    return ask.target.startswith("/v1/admin/bulk/")


def sign_in_to(data_dir: Path, environment: str = "production") -> dict[str, str]:
    """The headers of somebody with every role, at a service on one SQLite file."""
    url = f"sqlite:///{data_dir / 'havens.sqlite'}"
    app = make_app(url, data_dir, environment, secret_key=SECRET)
    headers = signed_in(app, *Role)
    app.state.journal.engine.dispose()
    return headers


def left_behind(service: Service, signed_in: Mapping[str, str]) -> Iterator[str]:
    """Where canaries are that should not be: the log, metrics, and all that the service keeps.

    The register may hold what was recorded in it, but no secret.
    """
    token = re.escape(signed_in["Authorization"].removeprefix("Bearer ").encode())
    if CANARIES.search(service.get("/metrics").content):
        yield "metrics"
    for file in filter(Path.is_file, service.output.parent.rglob("*")):
        is_register = file.name.startswith("havens.sqlite")
        kept = file.read_bytes()
        if (SECRETS if is_register else CANARIES).search(kept) or re.search(token, kept):
            yield file.name
