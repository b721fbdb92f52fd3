"""How requests read and change the register: nothing is lost, nothing is made twice."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlmodel import Session, col, select

from app.accounts.models import Account
from app.core import errors
from app.core.db import connected, read_session
from app.core.journal import HEAD_FILE, Journal
from app.core.journal_chain import Entry
from app.http.conditional import Register
from app.http.database import Turns
from app.http.paging import Page, Paged, page
from app.venues.models import Business, Venue
from tests.factories import make_venue
from tests.servers import serving, until

WRITERS = 32
REPLAYS = 50
ADA = Account(id=UUID(int=1), name="ada", roles=[])
BOB = Account(id=UUID(int=2), name="bob", roles=[])


class Noted(BaseModel):
    name: str
    notes: str = ""


class Refused(errors.DomainError):
    status = 409
    code = "refused"
    title = "No"


def small_register(journal: Journal) -> FastAPI:
    """Businesses to make, change and list, and venues whose phone is a counter."""
    app = FastAPI()
    app.state.journal = journal
    app.state.turns = Turns()
    errors.install(app)

    @app.post("/businesses")
    def make(given: Noted, register: Register, whose: str = "ada") -> Response:
        def made(session: Session) -> tuple[str, Noted]:
            if given.notes == "refuse":
                raise Refused
            business = Business(name=given.name, notes=given.notes)
            session.add(business)
            session.flush()
            return f"/businesses/{business.id}", Noted(name=business.name, notes=str(business.id))

        return register.create({"ada": ADA, "bob": BOB}[whose], given, made)

    @app.get("/venues/{venue_id}")
    def venue(venue_id: UUID, register: Register) -> Response:
        return register.read(lambda session: shown(session, venue_id))

    @app.put("/venues/{venue_id}")
    def edit(venue_id: UUID, given: Noted, register: Register) -> Response:
        def change(session: Session) -> None:
            if given.notes == "refuse":
                raise Refused
            session.get_one(Venue, venue_id).phone = given.name

        return register.change(ADA, lambda session: shown(session, venue_id), change)

    @app.get("/businesses")
    def by_name(paging: Paged, register: Register) -> Response:
        order: list[Any] = [col(Business.notes), col(Business.id)]
        return register.read(lambda s: page(s, select(Business), order, paging, noted))

    @app.get("/journal")
    def entries(paging: Paged, register: Register) -> Response:
        order: list[Any] = [col(Entry.at), col(Entry.number)]
        return register.read(
            lambda s: page(s, select(Entry), order, paging, numbered, newest_first=True)
        )

    return app


def shown(session: Session, venue_id: UUID) -> Noted:
    venue = session.get(Venue, venue_id)
    if venue is None:
        raise errors.NotFound
    return Noted(name=venue.phone)


def noted(business: Business) -> Noted:
    return Noted(name=business.name, notes=business.notes)


def numbered(entry: Entry) -> Noted:
    return Noted(name=str(entry.number))


@pytest.fixture
def journal(database_url: str, tmp_path: Path) -> Iterator[Journal]:
    with connected(database_url) as engine:
        yield Journal(engine, b"k" * 32, tmp_path / HEAD_FILE)


@pytest.fixture
def client(journal: Journal) -> Iterator[httpx.Client]:
    with serving(small_register(journal)) as client:
        yield client


def count(journal: Journal, model: Any) -> int:
    with read_session(journal.engine) as session:
        return len(session.exec(select(model)).all())


# --- many at once ----------------------------------------------------------------------------


def test_of_32_writers_at_once_none_is_lost(client: httpx.Client, journal: Journal) -> None:
    venue_id = make_venue(journal.engine, phone="0").id

    def add_one(_: int) -> int:
        """One more, as often as it takes to be the one who saw the newest; says how often."""
        for attempt in range(1, 10 * WRITERS):
            seen = client.get(f"/venues/{venue_id}")
            answer = client.put(
                f"/venues/{venue_id}",
                json={"name": str(int(seen.json()["name"]) + 1)},
                headers={"If-Match": seen.headers["ETag"]},
            )
            if answer.status_code == 200:
                return attempt
            assert answer.status_code == 412, answer.text
        raise AssertionError("never was the first")

    with ThreadPoolExecutor(WRITERS) as pool:
        attempts = list(pool.map(add_one, range(WRITERS)))
    assert client.get(f"/venues/{venue_id}").json()["name"] == str(WRITERS)
    assert sum(attempts) > WRITERS, "nobody was ever stale, so nothing was tried"
    assert journal.verify() is None
    with read_session(journal.engine) as session:
        changes = session.exec(
            select(Entry).where(Entry.subject == "venue").order_by(col(Entry.number))
        ).all()
    assert [json.loads(entry.after or "")["phone"] for entry in changes] == [
        str(n) for n in range(1, WRITERS + 1)
    ]
    assert sorted({entry.at for entry in changes}) == [entry.at for entry in changes]


def test_50_replays_of_one_create_make_one_thing(client: httpx.Client, journal: Journal) -> None:
    def asked() -> httpx.Response | None:
        answer = client.post(
            "/businesses", json={"name": "Ales Ltd"}, headers={"Idempotency-Key": "one"}
        )
        return None if answer.status_code == 503 else answer

    def create(_: int) -> tuple[int, bytes, str, str]:
        # On a busy machine some wait too long for their turn, and ask again as clients do.
        answer = until(asked)
        headers = answer.headers
        return answer.status_code, answer.content, headers["Location"], headers["ETag"]

    with ThreadPoolExecutor(REPLAYS) as pool:
        answers = set(pool.map(create, range(REPLAYS)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert count(journal, Business) == 1
    assert journal.length() == 1


# --- creating --------------------------------------------------------------------------------


def test_a_key_belongs_to_one_request_of_one_account(
    client: httpx.Client, journal: Journal
) -> None:
    key = {"Idempotency-Key": "one"}
    first = client.post("/businesses", json={"name": "Ales Ltd"}, headers=key)
    assert client.post("/businesses", json={"name": "Ales Ltd"}, headers=key).json() == first.json()
    for other in ({"name": "Beers Ltd"}, {"name": "Ales Ltd", "notes": "More"}):
        answer = client.post("/businesses", json=other, headers=key)
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:safe-havens:problem:idempotency-key-reused"
    answer = client.post("/businesses?whose=bob", json={"name": "Beers Ltd"}, headers=key)
    assert answer.status_code == 201, "another account's key is another key"
    assert count(journal, Business) == 2


def test_a_refused_create_can_be_asked_for_again(client: httpx.Client, journal: Journal) -> None:
    key = {"Idempotency-Key": "one"}
    refused = {"name": "Ales Ltd", "notes": "refuse"}
    assert client.post("/businesses", json=refused, headers=key).status_code == 409
    answer = client.post("/businesses", json={"name": "Ales Ltd"}, headers=key)
    assert answer.status_code == 201, "nothing was made under the key before"
    assert count(journal, Business) == 1


@pytest.mark.parametrize("key", ["", None])
def test_without_a_key_each_create_makes_something(
    client: httpx.Client, journal: Journal, key: str | None
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    for name in ("Ales Ltd", "Beers Ltd"):
        answer = client.post("/businesses", json={"name": name}, headers=headers)
        assert answer.status_code == 201
    assert count(journal, Business) == 2


def test_a_key_has_at_most_100_characters(client: httpx.Client) -> None:
    for length, status in ((100, 201), (101, 422)):
        answer = client.post(
            "/businesses", json={"name": "Ales Ltd"}, headers={"Idempotency-Key": "k" * length}
        )
        assert answer.status_code == status
        assert ("Idempotency-Key" in answer.text) == (status == 422)


# --- changing --------------------------------------------------------------------------------


IF_MATCH = [
    (None, 428, "nothing is named"),
    ("", 428, "nothing is named"),
    ("*", 428, "any state would do, also one that was never seen"),
    ('"*"', 412, "another state, whose tag is a star"),
    ('W/"other"', 412, "another state"),
    ('"{bare:.31}"', 412, "another state"),
    ('"other"', 412, "another state"),
    ('"other", "older"', 412, "other states"),
    ("{bare}", 428, "a tag is written in quotes"),
    ("\u00e9", 428, "no tag at all"),
    ("W/{etag}", 200, "a proxy that compresses calls it weak, and it names the same state"),
    ('"{bare}-gzip"', 200, "another such proxy adds to it"),
    ('"other", W/{etag}', 200, "one of several is the state it is in"),
    ("{etag}", 200, "the state it is in"),
    ('"other", {etag}', 200, "one of several is the state it is in"),
    ('{etag},"other"', 200, "one of several is the state it is in"),
]


def test_a_change_names_the_state_it_is_of(client: httpx.Client, journal: Journal) -> None:
    for if_match, status, reason in IF_MATCH:
        path = f"/venues/{make_venue(journal.engine, phone='before').id}"
        etag = client.get(path).headers["ETag"]
        headers: dict[bytes, bytes] = {}
        if if_match is not None:
            named = if_match.format(etag=etag, bare=etag.strip('"'))
            headers[b"If-Match"] = named.encode("latin-1")
        answer = client.put(path, json={"name": "after"}, headers=headers)
        assert answer.status_code == status, reason
        seen = client.get(path)
        assert seen.json()["name"] == ("after" if status == 200 else "before"), reason
        if status == 200:
            assert answer.json() == seen.json()
            assert answer.headers["ETag"] == seen.headers["ETag"] != etag


def test_a_refused_change_changes_nothing(client: httpx.Client, journal: Journal) -> None:
    venue_id = make_venue(journal.engine, phone="before").id
    headers = {"If-Match": client.get(f"/venues/{venue_id}").headers["ETag"]}
    refused = {"name": "after", "notes": "refuse"}
    assert client.put(f"/venues/{venue_id}", json=refused, headers=headers).status_code == 409
    assert client.get(f"/venues/{venue_id}").json()["name"] == "before"
    assert journal.length() == 0


def test_what_is_not_there_cannot_be_changed(client: httpx.Client) -> None:
    answer = client.put(f"/venues/{UUID(int=9)}", json={"name": "x"}, headers={"If-Match": '"x"'})
    assert answer.status_code == 404


def test_what_is_known_already_is_not_sent_again(client: httpx.Client, journal: Journal) -> None:
    venue_id = make_venue(journal.engine).id
    first = client.get(f"/venues/{venue_id}")
    for known in (
        first.headers["ETag"],
        f"W/{first.headers['ETag']}",
        f'"x", {first.headers["ETag"]}',
        "*",
    ):
        answer = client.get(f"/venues/{venue_id}", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    for known in ('"x"', '"', "", '"*"', 'W/"x", "y"', first.headers["ETag"].strip('"')):
        answer = client.get(f"/venues/{venue_id}", headers={"If-None-Match": known})
        assert answer.status_code == 200, known


# --- paging ----------------------------------------------------------------------------------


def fill(journal: Journal, number: int) -> None:
    """Businesses of which several are noted alike, each with an entry of its own instant."""
    for n in range(number):
        with journal.writing("account ada") as session:
            session.add(Business(name=f"Business {n}", notes=f"Group {n % 3}"))


def pages(client: httpx.Client, path: str, limit: int) -> Iterator[Page[Noted]]:
    after = ""
    while True:
        answer = client.get(f"{path}?limit={limit}{after}")
        assert answer.status_code == 200, answer.text
        found = Page[Noted].model_validate(answer.json())
        yield found
        if found.next is None:
            return
        after = f"&after={found.next}"


def test_all_pages_together_have_every_row_once(client: httpx.Client, journal: Journal) -> None:
    fill(journal, 21)
    for limit in (1, 4, 7, 20, 21, 22):
        check_pages(client, limit)


def check_pages(client: httpx.Client, limit: int) -> None:
    found = [item for one in pages(client, "/businesses", limit) for item in one.items]
    assert sorted(item.name for item in found) == sorted(f"Business {n}" for n in range(21))
    assert [item.notes for item in found] == sorted(item.notes for item in found)
    numbers = [int(item.name) for one in pages(client, "/journal", limit) for item in one.items]
    assert numbers == list(range(21, 0, -1))


def test_what_is_added_meanwhile_moves_no_row_between_pages(
    client: httpx.Client, journal: Journal
) -> None:
    fill(journal, 10)
    walk = pages(client, "/journal", 5)
    first = next(walk)
    fill_more = Business(name="Late", notes="Late")
    with journal.writing("account ada") as session:
        session.add(fill_more)
    numbers = [int(item.name) for one in (first, *walk) for item in one.items]
    assert numbers == list(range(10, 0, -1))


def test_an_empty_list_is_one_empty_page(client: httpx.Client) -> None:
    assert client.get("/businesses").json() == {"items": []}


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


AT = "2025-01-01T00:00:00+00:00"


OF_NO_LIST = [
    *("", "x", "!!!!", "nonsense", "\x00", "\u00e9", "a" * 1000, "a" * 1001),
    *(cursor(), cursor(1), cursor(AT), cursor(AT, 1, 2), cursor(1, AT)),
    *(cursor(AT, "1"), cursor(AT, None), cursor(AT, 1.5), cursor(AT, True), cursor(AT, [1])),
    *(cursor(AT, 2**31), cursor(AT, -(2**40)), cursor(AT, 2**64 - 1), cursor(AT, 1e300)),
    *(cursor("0001-01-01T00:00:00+23:59", 1), cursor("9999-12-31T23:59:59-23:59", 1)),
    *(cursor("yesterday", 1), cursor({"at": AT}, 1), cursor(True, 1)),
    *(base64.urlsafe_b64encode(b).decode() for b in (b'"ab"', b'{"a": 1, "b": 2}', b"\xff\xfe")),
    base64.urlsafe_b64encode(b"[" * 700).decode(),
]
OF_ANOTHER_LIST = [
    cursor("Group", "not a uuid"),
    cursor("Group\x00", str(UUID(int=1))),
    cursor("Group", 1),
    cursor(1, str(UUID(int=1))),
    cursor(AT, 7),
]


def test_a_page_of_no_list_or_another_is_refused(client: httpx.Client, journal: Journal) -> None:
    fill(journal, 1)
    asked = [("/journal", after) for after in OF_NO_LIST]
    asked += [("/businesses", after) for after in OF_ANOTHER_LIST]
    for path, after in asked:
        answer = client.get(path, params={"after": after})
        assert answer.status_code == 422, after
        assert [error["field"] for error in answer.json()["errors"]] == ["after"], after


def test_a_page_has_between_1_and_200_rows(client: httpx.Client) -> None:
    for limit, status in ((0, 422), (1, 200), (200, 200), (201, 422)):
        assert client.get("/businesses", params={"limit": limit}).status_code == status
