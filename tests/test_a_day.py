"""One day of the officer's, from sign-in to sign-out, with a service that runs for real."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from app.accounts import actions
from app.accounts.models import Role
from app.accounts.passwords import hashed
from app.core.db import connected
from app.core.journal import Journal
from app.core.london import LONDON
from app.sheets.fhrs import import_fhrs
from tests.factories import BANK
from tests.servers import Service, running, settings_for, until

PROSPECTS = {
    "establishments": [
        {
            "FHRSID": 388812,
            "BusinessName": "Lantern",
            "BusinessType": "Pub/bar/nightclub",
            "AddressLine1": "12 Poultry",
            "PostCode": "EC2R 8AJ",
            "geocode": {"latitude": str(BANK.lat), "longitude": str(BANK.lon)},
        },
        {
            "FHRSID": 388813,
            "BusinessName": "Cornhill Deli",
            "BusinessType": "Takeaway/sandwich shop",
            "AddressLine1": "50 Cornhill",
            "PostCode": "EC3V 3PD",
            "geocode": {"latitude": "51.5131", "longitude": "-0.0850"},
        },
    ]
}
PASSWORD = "the lamp is lit at dusk"
CRITERIA = (
    *("water", "electricity", "connection", "phone_charging", "seat", "toilet"),
    *("trained_staff_on_duty", "suitability"),
)
Json = dict[str, Any]


@dataclass
class Desk:
    """Somebody signed in."""

    client: httpx.Client

    @classmethod
    def of(cls, client: httpx.Client, name: str) -> "Desk":
        """Somebody who signs in with their password."""
        form = {"username": name, "password": PASSWORD}
        answer = client.post("/v1/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return cls(client)

    def see(self, path: str, **asked: Any) -> Json:
        answer = self.client.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        return seen

    def record(self, path: str, body: Json) -> Json:
        """Make something, twice with the same key as over a bad connection, and look at it."""
        key = {"Idempotency-Key": str(uuid4())}
        first, again = (self.client.post(path, json=body, headers=key) for _ in range(2))
        assert first.status_code == 201, first.text
        assert (again.status_code, again.content) == (201, first.content)
        made: Json = first.json()
        assert self.client.get(first.headers["Location"]).status_code == 200
        return made

    def change(self, path: str, body: Json, *, of: str) -> Json:
        state = {"If-Match": self.client.get(of).headers["ETag"]}
        answer = self.client.post(path, json=body, headers=state)
        assert answer.status_code == 200, answer.text
        assert self.client.post(path, json=body, headers=state).status_code == 412
        changed: Json = answer.json()
        return changed

    def pages(self, path: str) -> Iterator[Json]:
        """All of a list, a few at a time."""
        page = self.see(path, limit=4)
        while True:
            yield from page["items"]
            if "next" not in page:
                return
            page = self.see(path, limit=4, after=page["next"])


def shown(service: Service, haven: str) -> list[list[str] | None]:
    """The schemes of a haven in each public answer: the nearest, the directory, the haven's own.

    None where the answer has it not.
    """
    near = service.get(f"/v1/havens/nearest?lat={BANK.lat}&lon={BANK.lon}").json()
    one = service.get(f"/v1/havens/{haven}")
    assert one.status_code in (200, 404)
    answers = [
        [found for group in ("havens", "closing", "opens_next") for found in near[group]],
        service.get("/v1/havens").json()["havens"],
        [one.json()] if one.status_code == 200 else [],
    ]
    return [
        next((sorted(s["scheme"] for s in f["schemes"]) for f in answer if f["id"] == haven), None)
        for answer in answers
    ]


NOWHERE = [None, None, None]
EVERYWHERE = [["ask_for_angela", "safe_haven"]] * 3


@pytest.fixture
def journal(database_url: str, tmp_path: Path) -> Iterator[Journal]:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with connected(database_url) as engine:
        yield Journal.of(settings_for(data_dir, database_url), engine)


@pytest.fixture
def service(database_url: str, tmp_path: Path, journal: Journal) -> Iterator[Service]:
    with journal.writing("command administrator") as session:
        password = hashed(SecretStr(PASSWORD))
        for name, role in (("p.okafor", Role.OFFICER), ("l.hart", Role.LICENSING)):
            account = actions.add(session, name, [role])
            actions.set_password(session, account, password, temporary=False)
    with running(tmp_path / "data", database_url) as service:
        yield service


def test_a_day(service: Service, journal: Journal, visible_within: float) -> None:
    today = datetime.now(UTC).astimezone(LONDON).date().isoformat()
    with service.client() as client, service.client() as another:
        officer = Desk.of(client, "p.okafor")
        report = import_fhrs(journal, json.dumps(PROSPECTS).encode(), actor="command administrator")
        assert report.created == ["fhrs-388812", "fhrs-388813"]

        # The prospect becomes a venue of the register.
        (prospect,) = officer.see("/v1/admin/venues", status="prospect", name="lantern")["items"]
        venue = f"/v1/admin/venues/{prospect['id']}"
        assert officer.see(f"{venue}/journal")["items"][0]["actor"] == "command administrator"
        business = officer.record("/v1/admin/businesses", {"name": "Lantern Inns Ltd"})
        details = {
            "name": "The Lantern",
            "business_id": business["id"],
            "opening_hours": "24/7",
            "phone": "020 7946 0123",
            "facilities": ["water", "seat", "toilet", "phone_charging"],
            "licensed": True,
        }
        registered = officer.change(f"{venue}/register", details, of=venue)
        assert (registered["status"], registered["fhrs_id"]) == ("active", "388812")
        assert registered["id"] == prospect["id"]
        assert shown(service, prospect["id"]) == NOWHERE

        # Training, and the visit on which it was given.
        officer.record(f"{venue}/headcounts", {"on": today, "staff": 20, "left": 0})
        decide = partial(officer.record, f"{venue}/decisions")
        too_early = {"scheme": "ask_for_angela", "kind": "awarded"}
        refused = client.post(f"{venue}/decisions", json=too_early)
        assert refused.json()["type"] == "urn:safe-havens:problem:prerequisite-lacking"
        for course in ("wave", "ask_for_angela"):
            twelve = {"venue_id": prospect["id"], "role": "bar_staff", "new": 12}
            session = {"course": course, "on": today, "attendances": [twelve]}
            officer.record("/v1/admin/training/sessions", session)
        standing = officer.see(f"{venue}/training")
        trained = {one["course"]: (one["trained"], one.get("rag")) for one in standing["courses"]}
        assert (trained["wave"], trained["bystander"]) == ((12, "amber"), (0, "red"))
        visit = {
            "venue_id": prospect["id"],
            "on": today,
            "kind": "visit",
            "outcome": "accreditation_discussed",
            "note": "Trained twelve, and went through the checklist",
        }
        visited = officer.record("/v1/admin/engagements", visit)
        assert visited["business"]["id"] == business["id"]

        # Both accreditations, and the public sees them.
        findings = [{"criterion": criterion, "met": True} for criterion in CRITERIA]
        decide({"scheme": "safe_haven", "kind": "applied"})
        decide({"scheme": "safe_haven", "kind": "assessed", "findings": findings})
        assert shown(service, prospect["id"]) == NOWHERE
        decide({"scheme": "ask_for_angela", "kind": "applied"})
        decide({"scheme": "ask_for_angela", "kind": "assessed"})
        decide({"scheme": "ask_for_angela", "kind": "awarded"})
        awarded = decide({"scheme": "safe_haven", "kind": "awarded"})
        assert awarded["certificate"].startswith("SH-")
        until(lambda: shown(service, prospect["id"]) == EVERYWHERE, visible_within)

        # Nobody knew of Angela: it is off the list until that is mended.
        failed = {"venue_id": prospect["id"], "on": today, "result": "failed"}
        test = officer.record("/v1/admin/scheme-tests", failed)
        decide({"scheme": "safe_haven", "kind": "suspended", "reason": "Failed a scheme test"})
        until(lambda: shown(service, prospect["id"]) == NOWHERE, visible_within)
        (owed,) = officer.see("/v1/admin/scheme-tests/retests")["items"]
        assert owed["test"]["id"] == test["id"]
        officer.record(f"/v1/admin/scheme-tests/{test['id']}/debrief", {"on": today})
        decide({"scheme": "safe_haven", "kind": "reinstated", "reason": "Debriefed at once"})
        until(lambda: shown(service, prospect["id"]) == EVERYWHERE, visible_within)

        assert client.post("/v1/auth/sign-out").status_code == 204
        assert client.get(venue).status_code == 401

        # Somebody else reads what happened.
        licensing = Desk.of(another, "l.hart")
        story = list(licensing.pages(f"{venue}/journal"))
        assert [line for line, _ in groupby(map(told, story))] == STORY
        numbers = [entry["number"] for entry in story]
        assert numbers == sorted(numbers)
        times = [datetime.fromisoformat(entry["at"]) for entry in story]
        assert times == sorted(times)
        whole = list(licensing.pages("/v1/admin/journal"))
        assert [entry["number"] for entry in whole][::-1] == sorted(e["number"] for e in whole)
        assert {entry["subject"] for entry in whole}.isdisjoint({"account", "sign_in"})
    assert journal.verify() is None


def told(entry: Json) -> str:
    """An entry in words: who did what to which kind of record, and what it was about."""
    became = {change["field"]: change.get("after") for change in entry["changes"]}
    about = (became.get(field) for field in ("scheme", "kind", "course", "result"))
    words = (entry["actor"].partition(" ")[2], entry["happened"], entry["subject"], *about)
    return " ".join(word for word in words if word)


STORY = [
    "administrator recorded venue",
    "administrator recorded venue_facts",
    "p.okafor changed venue",
    "p.okafor recorded venue_facts",
    "p.okafor recorded headcount",
    "p.okafor recorded training_session wave",
    "p.okafor recorded attendance",
    "p.okafor recorded training_session ask_for_angela",
    "p.okafor recorded attendance",
    "p.okafor recorded engagement visit",
    "p.okafor recorded decision safe_haven applied",
    "p.okafor recorded decision safe_haven assessed",
    "p.okafor recorded decision ask_for_angela applied",
    "p.okafor recorded decision ask_for_angela assessed",
    "p.okafor recorded decision ask_for_angela awarded",
    "p.okafor recorded decision safe_haven awarded",
    "p.okafor recorded scheme_test ask_for_angela failed",
    "p.okafor recorded decision safe_haven suspended",
    "p.okafor recorded debrief",
    "p.okafor recorded decision safe_haven reinstated",
]
"""What the journal tells of the venue; the edits of one request are told as one here."""
