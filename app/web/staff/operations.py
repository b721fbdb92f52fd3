"""What may be done over the API, and the page at which each of it is done.

Pages are made from what the API's routes say of themselves: a list, a record or a form. So whatever
can be done by a program can be done by clicking, by the same rules, and a new route has its page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, TypeAdapter
from starlette.convertors import Convertor
from starlette.routing import compile_path

from app.accounts.guards import Guard, visiting
from app.accounts.models import Role

ADDRESSES = {"/v1/admin": "/console", "/v1/audit": "/audit", "/v1/auth": "/account"}
"""Where the pages of an API's addresses are, by how those begin."""


@dataclass(frozen=True)
class Operation:
    """One method of one address of the API."""

    name: str
    method: str
    path: str
    summary: str
    about: str
    body: Any
    """The type of what it takes in its body, if it takes anything."""
    question: type[BaseModel] | None
    """The model of what may be asked in the address."""
    answer: Any
    """The type of what it answers, if that is JSON."""
    roles: frozenset[Role]
    creates: bool
    asks_seen: bool
    """Whether it takes the version that was seen."""
    address: str
    """Of its page, with the same places in braces as `path`."""

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The JSON schema of the body; empty without one."""
        return TypeAdapter(self.body).json_schema() if self.body is not None else {}

    @cached_property
    def kinds(self) -> dict[str, dict[str, Any]]:
        """The schema of each kind of thing it takes, by its name, where there are several."""
        some = [
            self.asked["$defs"][one["$ref"].rpartition("/")[2]]
            for one in self.asked.get("anyOf", ())
            if "$ref" in one
        ]
        return {one["properties"]["kind"]["const"]: one for one in some}

    @cached_property
    def questions(self) -> dict[str, Any]:
        """The JSON schema of what may be asked in the address; empty without anything."""
        return self.question.model_json_schema() if self.question else {}

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The JSON schema of the answer."""
        return TypeAdapter(self.answer).json_schema(mode="serialization") if self.answer else {}

    @cached_property
    def is_list(self) -> bool:
        """Whether the answer is a page of a list."""
        return self.method == "GET" and {"items"} == set(self.shown.get("required", ()))


class Found(NamedTuple):
    """The operation whose page is at an address, and what stands in the places of it."""

    operation: Operation
    places: dict[str, Any]

    @property
    def path(self) -> str:
        """Where the API has it."""
        return self.operation.path.format(**self.places)


class Operations:
    """All operations of an application."""

    def __init__(self, app: FastAPI) -> None:
        self.all = tuple(_operations(app))
        self._by_name = {operation.name: operation for operation in self.all}
        # What is written out comes before what has a place in it.
        self._patterns = [
            (*_pattern(operation.address), operation)
            for operation in sorted(self.all, key=lambda one: f"{one.address}~".replace("{", "~"))
        ]

    @classmethod
    def of(cls, app: FastAPI) -> "Operations":
        """Those of an application, found out once."""
        if not hasattr(app.state, "operations"):
            app.state.operations = cls(app)
        found: Operations = app.state.operations
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Operation:
        return self._by_name[name]

    def at(self, address: str) -> Found | None:
        """The operation whose page is at an address."""
        for pattern, convertors, operation in self._patterns:
            if match := pattern.match(address):
                try:
                    found = {k: convertors[k].convert(v) for k, v in match.groupdict().items()}
                except ValueError:
                    continue
                return Found(operation, found)
        return None

    def beside(self, path: str) -> list[Operation]:
        """What else may be done or seen with what the API has at a path, with places in braces."""
        return [
            one
            for one in self.all
            if (one.path == path and one.method != "GET")
            or (one.path.startswith(path + "/") and "{" not in one.path[len(path) :])
        ]


def _pattern(address: str) -> tuple[re.Pattern[str], dict[str, Convertor[Any]]]:
    pattern, _, convertors = compile_path(address)
    return pattern, convertors


def _operations(app: FastAPI) -> Iterator[Operation]:
    routes = [
        route
        for route in iter_route_contexts(app.routes)
        if str(route.path).startswith(tuple(ADDRESSES)) and route.include_in_schema
    ]
    read = {route.path for route in routes if "GET" in (route.methods or ())}
    for route in routes:
        path, [method] = str(route.path), sorted((route.methods or set()) - {"HEAD"})
        guards = [*_guards(route.dependant)]
        asked = [field.field_info.annotation for field in route.dependant.query_params]
        models = [one for one in asked if isinstance(one, type) and issubclass(one, BaseModel)]
        yield Operation(
            name=str(route.name),
            method=method,
            path=path,
            summary=route.summary,
            about=(route.endpoint.__doc__ or "").strip().partition("\n\n")[0],
            body=route.body_field.field_info.annotation if route.body_field else None,
            question=models[0] if models else None,
            answer=route.response_model,
            roles=frozenset.intersection(*guards) if guards else frozenset(),
            creates=route.status_code == 201,
            asks_seen=412 in route.responses,
            address=_address(method, path, is_read=path in read),
        )


def _address(method: str, path: str, *, is_read: bool) -> str:
    begin = next(begin for begin in ADDRESSES if path.startswith(begin))
    address = ADDRESSES[begin] + path.removeprefix(begin)
    ends = {"POST": "/new", "PUT": "/edit"} if is_read else {}
    return address + (ends | {"DELETE": "/forget"}).get(method, "")


def _guards(dependant: Dependant) -> Iterator[frozenset[Role]]:
    if isinstance(dependant.call, Guard):
        yield dependant.call.roles
    elif dependant.call is visiting:
        yield frozenset(Role)
    else:
        for needed in dependant.dependencies:
            yield from _guards(needed)
