"""What a request's headers say, how the contract describes those that are read by hand, and what
the headers of every answer say."""

import re
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from fastapi import Request
from pydantic import IPvAnyNetwork
from starlette.datastructures import Headers

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
"""What every answer says, also those that the server gives by itself."""

HSTS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
"""What it says too where the public comes by TLS."""

_WEIGHT = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")


def on_every_answer(public_url: str) -> list[tuple[str, str]]:
    """The headers of every answer of a service that the public finds at an address, or at none."""
    return [*(ALWAYS | (HSTS if public_url.startswith("https:") else {})).items()]


def preferred(accepted: str, ours: Sequence[str]) -> str:
    """What an `Accept…` header likes best of ours, or the first of ours if it likes none.

    Of what it likes equally: what it names more exactly, then what it names first.
    """
    weights: dict[str, float] = {}
    for wish in "".join(accepted.lower().split()).split(","):
        name, *parameters = wish.split(";")
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "")
        weights.setdefault(name, float(weight) if _WEIGHT.fullmatch(weight) else 1.0)
    order = list(weights)

    def liking(offer: str) -> tuple[float, int, int]:
        ranges = (offer, f"{offer.partition('/')[0]}/*", "*/*", "*")
        exactness, name = next(((-n, r) for n, r in enumerate(ranges) if r in weights), (0, ""))
        return (weights[name], exactness, -order.index(name)) if name else (0.0, 0, 0)

    best = max(ours, key=liking)
    return best if liking(best)[0] else ours[0]


def conditions(headers: Headers, name: str) -> set[str]:
    """The tags in an `If-…` header, in their quotes, without the mark of weak ones; or `*`."""
    given = ",".join(headers.getlist(name))
    return {"*"} if given.strip() == "*" else set(re.findall('"[^"]*"', given))


def is_known(headers: Headers, tag: str) -> bool:
    """Whether who asks has what is tagged so, and would rather be told that it is unchanged."""
    return not {tag, "*"}.isdisjoint(conditions(headers, "if-none-match"))


def takes_gzip(headers: Headers) -> bool:
    """Whether an answer is rather had compressed."""
    codings = ",".join(headers.getlist("accept-encoding"))
    return preferred(codings, ("identity", "gzip")) == "gzip"


def client_address(request: Request, proxies: Collection[IPvAnyNetwork]) -> str:
    """Whose request this is: the last on its way here that is none of our own proxies.

    What anybody else writes in `X-Forwarded-For` counts for nothing. Of IPv6 it is the network
    that one customer gets, who could use a new address for every request.
    """
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    found = request.client.host if request.client else ""
    for hop in (found, *reversed(forwarded)):
        try:
            address = _ip(_PORT.sub(r"\1\2", hop.strip()))
            customer = ip_network(f"{address}/{64 if address.version == 6 else 32}", strict=False)
        except ValueError:
            break
        found = str(customer.network_address)
        if not any(address in network for network in proxies):
            break
    return found


def is_within(host: str, networks: Collection[IPvAnyNetwork]) -> bool:
    """Whether an address lies in any of the networks."""
    try:
        address = _ip(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _ip(text: str) -> IPv4Address | IPv6Address:
    """An address; one of IPv4 that is written as one of IPv6 is that one. Raises ValueError."""
    address = ip_address(text)
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


_PORT = re.compile(r"^\[(.*)\](?::[0-9]+)?$|^([0-9.]+):[0-9]+$")


def parameter(name: str, about: str, *, required: bool = False, **limits: int) -> dict[str, Any]:
    """A header of a request, as a parameter in OpenAPI."""
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": about,
        "schema": {"type": "string", **limits},
    }


def described(name: str, about: str) -> dict[str, Any]:
    """A header of an answer, in OpenAPI."""
    return {name: {"description": about, "schema": {"type": "string"}}}
