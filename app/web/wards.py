"""The wards of the directory, as pages list them: by the havens that lie in them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.core.text import folded


class Ward(NamedTuple):
    """A ward, the part of an address that names it, and its havens by name."""

    name: str
    slug: str
    havens: list[Mapping[str, Any]]


def wards(havens: Iterable[Mapping[str, Any]]) -> list[Ward]:
    """By name. A haven outside all wards is in none of them."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for haven in havens:
        if ward := haven.get("ward"):
            by_name.setdefault(ward, []).append(haven)
    return [
        Ward(
            name,
            slug(name),
            sorted(inside, key=lambda haven: folded(haven["name"])),
        )
        for name, inside in sorted(by_name.items())
    ]


def slug(name: str) -> str:
    """A name as a part of an address."""
    return folded(name).replace(" ", "-")
