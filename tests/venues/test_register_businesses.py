"""Businesses and contacts at the officer's desk, on both databases."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from app.core.db import read_session
from app.core.journal import Journal
from app.core.journal_proof import strays
from tests.conftest import SignIn
from tests.venues.desk import BUSINESSES, VENUES, a_venue, change, create, problem

SAM = {
    "name": "Sam Okafor",
    "role": "General manager",
    "phone": "020 7946 0123",
    "email": "sam@lantern.example",
    "preferred": True,
}


def _business(officer: httpx.Client, name: str = "Lantern Inns Ltd") -> dict[str, Any]:
    return create(officer, BUSINESSES, {"name": name})


def test_a_business_is_described(officer: httpx.Client) -> None:
    business = create(officer, BUSINESSES, {"name": " Lantern  Inns ", "notes": "In\r\nLeeds"})
    assert (business["name"], business["notes"]) == ("Lantern Inns", "In\nLeeds")
    path = f"{BUSINESSES}/{business['id']}"
    edited = change(officer, "PUT", path, {"name": "Lantern Inns Ltd"}).json()
    assert edited == {"id": business["id"], "name": "Lantern Inns Ltd"}


def test_a_name_belongs_to_one_business(officer: httpx.Client) -> None:
    business = _business(officer)
    other = _business(officer, "Crown Hotels")
    taken = {"name": "Lantern Inns Ltd"}
    for name in ("Lantern Inns Ltd", "LANTERN INNS Ltd"):
        assert problem(officer.post(BUSINESSES, json={"name": name})) == (
            409,
            "business-name-taken",
        )
    answer = change(officer, "PUT", f"{BUSINESSES}/{other['id']}", taken)
    assert problem(answer) == (409, "business-name-taken")
    assert change(officer, "PUT", f"{BUSINESSES}/{business['id']}", taken).status_code == 200


def test_businesses_are_found(officer: httpx.Client) -> None:
    lantern, crown = _business(officer), _business(officer, "Crown Hôtels")
    create(officer, VENUES, a_venue(business_id=lantern["id"]))
    found = officer.get(BUSINESSES).json()["items"]
    assert [(b["name"], b["active_venues"]) for b in found] == [
        ("Crown Hôtels", 0),
        ("Lantern Inns Ltd", 1),
    ]
    (found,) = officer.get(BUSINESSES, params={"name": "HOTEL"}).json()["items"]
    assert found["id"] == crown["id"]


def test_a_business_that_runs_something_stays(officer: httpx.Client) -> None:
    business = _business(officer)
    venue = create(officer, VENUES, a_venue(business_id=business["id"]))
    path, of_venue = f"{BUSINESSES}/{business['id']}", f"{VENUES}/{venue['id']}"
    ending = {"reason": "It was wound up", "on": "2026-01-31"}
    answer = change(officer, "POST", f"{path}/close", ending, of=path)
    assert problem(answer) == (409, "business-has-venues")
    change(officer, "POST", f"{of_venue}/close", {"reason": "It was sold"}, of=of_venue)
    closed = change(officer, "POST", f"{path}/close", ending, of=path).json()
    assert (closed["closed_on"], closed["closed_reason"]) == ("2026-01-31", "It was wound up")
    for refused in (
        change(officer, "POST", f"{path}/close", ending, of=path),
        change(officer, "POST", f"{of_venue}/reopen", {}, of=of_venue),
        officer.post(VENUES, json=a_venue(name="The Crown", business_id=business["id"])),
    ):
        assert problem(refused) == (409, "business-is-closed")
    assert change(officer, "POST", f"{path}/reopen", of=path).json() == business
    answer = change(officer, "POST", f"{path}/reopen", of=path)
    assert problem(answer) == (409, "business-is-open")


@pytest.fixture(params=["business", "venue"])
def contacts(request: pytest.FixtureRequest, officer: httpx.Client) -> str:
    """Where the contacts of a business are, and then those of a venue."""
    if request.param == "business":
        return f"{BUSINESSES}/{_business(officer)['id']}/contacts"
    return f"{VENUES}/{create(officer, VENUES, a_venue())['id']}/contacts"


def test_a_contact_comes_and_goes(officer: httpx.Client, contacts: str) -> None:
    sam = create(officer, contacts, SAM)
    assert sam | SAM == sam
    path = f"/v1/admin/contacts/{sam['id']}"
    edited = change(officer, "PUT", path, {"name": "Sam Okafor", "phone": "101"}).json()
    assert edited["phone"] == "101"
    assert not edited.keys() & {"role", "email"}
    ended = change(officer, "POST", f"{path}/end", {"on": "2026-01-31"}, of=path).json()
    assert ended["ended_on"] == "2026-01-31"
    assert officer.get(contacts).json() == {"items": []}
    assert officer.get(contacts, params={"ended": True}).json() == {"items": [ended]}
    for answer in (
        change(officer, "PUT", path, SAM),
        change(officer, "POST", f"{path}/end", {}, of=path),
    ):
        assert problem(answer) == (409, "contact-ended")


def test_one_contact_is_preferred(officer: httpx.Client, contacts: str) -> None:
    create(officer, contacts, SAM)
    alex = create(officer, contacts, {"name": "Alex Roe", "preferred": True})
    create(officer, contacts, {"name": "Kim Poe"})

    def preferred() -> list[str]:
        return [c["name"] for c in officer.get(contacts).json()["items"] if c["preferred"]]

    assert preferred() == ["Alex Roe"]
    path = f"/v1/admin/contacts/{alex['id']}"
    change(officer, "POST", f"{path}/end", {}, of=path)
    assert preferred() == []


def test_whose_contacts_they_are(officer: httpx.Client) -> None:
    business, venue = _business(officer), create(officer, VENUES, a_venue())
    of_business = create(officer, f"{BUSINESSES}/{business['id']}/contacts", SAM)
    of_venue = create(officer, f"{VENUES}/{venue['id']}/contacts", SAM)
    assert (of_business["business_id"], of_venue["venue_id"]) == (business["id"], venue["id"])
    assert (of_business["preferred"], of_venue["preferred"]) == (True, True)


def test_a_wrong_contact_is_refused(officer: httpx.Client) -> None:
    path = f"{BUSINESSES}/{_business(officer)['id']}/contacts"
    for wrong in ({"email": "sam"}, {"name": ""}, {"phone": "1" * 41}):
        answer = officer.post(path, json=SAM | wrong)
        assert [error["field"] for error in answer.json()["errors"]] == list(wrong)


def test_what_is_not_there(officer: httpx.Client) -> None:
    for path in (f"{BUSINESSES}/{uuid4()}", f"/v1/admin/contacts/{uuid4()}"):
        assert officer.get(path).status_code == 404
    assert officer.post(f"{BUSINESSES}/{uuid4()}/contacts", json=SAM).status_code == 404


def test_a_create_that_is_repeated_is_answered_again(officer: httpx.Client) -> None:
    headers = {"Idempotency-Key": "one"}
    first, again = (officer.post(VENUES, json=a_venue(), headers=headers) for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(officer.get(VENUES).json()["items"]) == 1


def test_who_asks_is_erased_from_everywhere(
    officer: httpx.Client, sign_in: SignIn, journal: Journal
) -> None:
    contacts = f"{BUSINESSES}/{_business(officer)['id']}/contacts"
    made = officer.post(contacts, json=SAM, headers={"Idempotency-Key": "one"}).json()
    path = f"/v1/admin/contacts/{made['id']}"
    change(officer, "PUT", path, SAM | {"phone": "020 7946 0999"})
    administrator = sign_in("administrator")
    assert change(officer, "DELETE", path).status_code == 403
    assert administrator.delete(path).status_code == 428
    assert administrator.delete(path, headers={"If-Match": '"older"'}).status_code == 412
    answer = change(administrator, "DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert officer.get(path).status_code == 404
    assert officer.get(contacts).json() == {"items": []}
    story = officer.get("/v1/admin/journal", params={"subject": "contact"})
    assert [entry["happened"] for entry in story.json()["items"]] == [
        *("removed", "changed", "recorded")
    ]
    with journal.engine.connect() as connection:
        for table in ("contact", "journal", "journal_personal", "answered_create"):
            held = str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())  # noqa: S608
            assert not any(said in held for said in ("Okafor", "7946", "lantern.example"))
    assert journal.verify() is None
    with read_session(journal.engine) as session:
        # Tests put their accounts in past the journal.
        assert {one.subject for one in strays(session)} == {"account", "sign_in"}
