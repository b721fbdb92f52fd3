"""How a test works at the officer's desk."""

from typing import Any

import httpx

VENUES = "/v1/admin/venues"
BUSINESSES = "/v1/admin/businesses"


def a_venue(**details: Any) -> dict[str, Any]:
    """What registers a pub in the middle of the City."""
    usual = {
        "name": "The Lantern",
        "category": "pub",
        "location": {"lat": 51.5134, "lon": -0.0890},
    }
    return usual | details


def create(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Make something that is expected to be made; returns what is shown of it."""
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert made == client.get(answer.headers["Location"]).json()
    return made


def change(
    client: httpx.Client, method: str, path: str, body: Any = None, *, of: str = ""
) -> httpx.Response:
    """Change what `of` shows (by default the path itself), as it is now."""
    etag = client.get(of or path).headers["ETag"]
    return client.request(method, path, json=body, headers={"If-Match": etag})


def problem(answer: httpx.Response) -> tuple[int, str]:
    """An error's status and code."""
    return answer.status_code, answer.json()["type"].rpartition(":")[2]
