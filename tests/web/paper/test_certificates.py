"""Certificates and what their codes say, over HTTP on both databases."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy import Engine

from app.core.journal import Journal
from app.core.london import today
from app.web.paper.verification import in_groups, read_code
from tests.accounts import make_app, signed_in
from tests.factories import award, make_venue
from tests.schemes.steps import decide, refused, train, void
from tests.servers import serving
from tests.web.paper.conftest import ADDRESS
from tests.web.paper.documents import check_tagged, codes_of, pages_of

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Json = dict[str, Any]


@pytest.fixture
def venue(engine: Engine) -> UUID:
    """An active pub with an address, without any decision."""
    details: Json = {"name": "Mothlight Bar", "address": "17 Moth Alley", "postcode": "EC1A 0ZZ"}
    return make_venue(engine, safe_haven_from=None, **details).id


@pytest.fixture
def awarded(officer: httpx.Client, journal: Journal, venue: UUID) -> Json:
    """Its Safe Haven award, of today."""
    train(journal, venue, today().isoformat())
    return made(decide(officer, venue, "awarded", override_reason="Known for years"))


def made(answer: httpx.Response) -> Json:
    assert answer.status_code == 201, answer.text
    decision: Json = answer.json()
    return decision


def certificate(officer: httpx.Client, decision: Json) -> bytes:
    answer = officer.get(f"/v1/admin/certificates/{decision['id']}.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    return answer.content


def code_on(pdf: bytes) -> str:
    """The code that the QR code leads to, which is printed in letters too."""
    (address,) = codes_of(pdf)
    code = address.removeprefix(f"{ADDRESS}/verify/")
    (page,) = pages_of(pdf)
    assert in_groups(code) in page
    return code


def verified(client: httpx.Client, code: str) -> Json:
    answer = client.get(f"/v1/verify/{code}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    told: Json = answer.json()
    return told


NOT_IN_FORCE = {"state": "not_in_force"}
UNKNOWN = {"state": "unknown"}


# --- the certificate -------------------------------------------------------------------------


def test_a_certificate_says_who_what_and_until_when(officer: httpx.Client, awarded: Json) -> None:
    pdf = certificate(officer, awarded)
    check_tagged(pdf, "Certificate of Mothlight Bar", "en")
    (page,) = pages_of(pdf)
    until = date.fromisoformat(awarded["until"])
    for words in (
        "Mothlight Bar 17 Moth Alley, EC1A 0ZZ is a Safe Haven",
        f"{today().day} {today():%B %Y}",
        f"{until.day} {until:%B %Y}",
        awarded["certificate"],
        "havens.example/verify",
    ):
        assert words in page, words
    assert "Sample" not in page


def test_it_is_the_same_each_time_and_recorded_once(
    officer: httpx.Client, journal: Journal, awarded: Json
) -> None:
    first = certificate(officer, awarded)
    written = journal.length()
    assert certificate(officer, awarded) == first
    assert journal.length() == written
    assert journal.verify() is None
    with journal.engine.connect() as connection:
        entries = connection.execute(
            sa.text("SELECT after FROM journal WHERE subject = 'certificate_code'")
        ).scalars()
        (entry,) = entries
    assert code_on(first) not in entry


def test_only_an_award_that_stands_has_a_certificate(
    officer: httpx.Client, venue: UUID, awarded: Json
) -> None:
    applied = made(decide(officer, venue, "applied"))
    assert why_not(officer, applied) == "is no award, but applied"
    made(decide(officer, venue, "suspended"))
    assert why_not(officer, awarded) == "is not in force: see the standing of the venue"
    made(decide(officer, venue, "reinstated"))
    certificate(officer, awarded)
    until = (date.fromisoformat(awarded["until"]) + timedelta(days=30)).isoformat()
    renewed = made(decide(officer, venue, "awarded", until=until, override_reason="As before"))
    assert why_not(officer, awarded) == "was renewed: make the certificate of the newer award"
    certificate(officer, renewed)
    assert void(officer, renewed).status_code == 200
    assert why_not(officer, renewed) == "was voided"
    certificate(officer, awarded)
    made(decide(officer, venue, "withdrawn"))
    assert why_not(officer, awarded) == "is not in force: see the standing of the venue"


def why_not(officer: httpx.Client, decision: Json) -> str:
    answer = officer.get(f"/v1/admin/certificates/{decision['id']}.pdf")
    return refused(answer, 409, "no-certificate")["decision_id"]


def test_an_award_of_the_future_has_one_and_is_not_in_force_yet(
    officer: httpx.Client, engine: Engine, venue: UUID
) -> None:
    ahead = award(engine, venue, today() + timedelta(days=30), today() + timedelta(days=90))
    code = code_on(certificate(officer, {"id": ahead.id}))
    assert verified(officer, code) == NOT_IN_FORCE


def test_a_closed_venue_has_none(officer: httpx.Client, engine: Engine, awarded: Json) -> None:
    code = code_on(certificate(officer, awarded))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("UPDATE venue SET status = 'closed'"))
    assert why_not(officer, awarded) == "is of a venue that is not active, but closed"
    assert verified(officer, code) == NOT_IN_FORCE


def test_no_certificate_of_nothing(officer: httpx.Client) -> None:
    refused(officer.get(f"/v1/admin/certificates/{uuid4()}.pdf"), 404, "not-found")
    refused(officer.get("/v1/admin/certificates/SH-2026-0001.pdf"), 422, "invalid")


def test_without_a_public_address_it_has_a_code_in_letters(
    database_url: str, tmp_path: Path, awarded: Json
) -> None:
    with also_served(make_app(database_url, tmp_path / "other")) as officer:
        pdf = certificate(officer, awarded)
    assert codes_of(pdf) == []
    assert "Code to check it by" in pages_of(pdf)[0]


def test_a_demonstration_says_that_it_is_none(sqlite_url: str, tmp_path: Path, demo: None) -> None:
    app = make_app(sqlite_url, tmp_path, "demo", public_url=ADDRESS)
    venue = make_venue(app.state.journal.engine, demonstration=True, safe_haven_from=None)
    held = award(app.state.journal.engine, venue.id, date(2020, 1, 1), None)
    with also_served(app) as officer:
        pdf = certificate(officer, {"id": held.id})
        told = verified(officer, code_on(pdf))
    assert "Sample: not a real award" in pages_of(pdf)[0]
    assert told["notice"] == "demonstration data: not a real award"
    assert told["state"] == "in_force"


@contextmanager
def also_served(app: FastAPI) -> Iterator[httpx.Client]:
    """Another application, and an officer who has signed in to it."""
    with serving(app) as client:
        client.headers.update(signed_in(app, "officer"))
        yield client
    app.state.journal.engine.dispose()


# --- a whole season's ------------------------------------------------------------------------


def test_a_seasons_certificates_come_in_one_file(officer: httpx.Client, engine: Engine) -> None:
    season = made(
        officer.post(
            "/v1/admin/seasons",
            json={
                "scheme": "safety_thirst",
                "year": today().year,
                "name": "Safety Thirst",
                "invitations_from": f"{today().year}-01-01",
                "assessments_from": f"{today().year}-01-02",
                "assessments_until": f"{today().year}-12-31",
            },
        )
    )
    asked = {"season_id": season["id"]}
    refused(officer.get("/v1/admin/certificates.pdf", params=asked), 409, "no-certificate")
    grades = {"The Brass Heron": "highly_commended", "Anchor & Lamp": "commended"}
    venues = {
        name: make_venue(engine, name=name, safe_haven_from=None).id
        for name in (*grades, "The Withdrawn")
    }
    for name, venue in venues.items():
        step = {"scheme": "safety_thirst", "season_id": season["id"]}
        given = {"grade": grades.get(name, "commended"), "override_reason": "Assessed on paper"}
        made(decide(officer, venue, "awarded", **step | given))
    made(decide(officer, venues["The Withdrawn"], "withdrawn", scheme="safety_thirst"))
    answer = officer.get("/v1/admin/certificates.pdf", params=asked)
    assert answer.status_code == 200
    first, second = pages_of(answer.content)
    assert "Anchor & Lamp" in first
    assert "holds the Safety Thirst award Commended" in first
    assert "The Brass Heron" in second
    assert "holds the Safety Thirst award Highly commended" in second
    codes = codes_of(answer.content)
    assert len({*codes}) == 2
    told = verified(officer, codes[1].rpartition("/")[2])
    assert (told["name"], told["grade"]) == ("The Brass Heron", "highly_commended")
    check_tagged(answer.content, "Certificates", "en")


def test_a_days_certificates_come_in_one_file(
    officer: httpx.Client, engine: Engine, awarded: Json
) -> None:
    other = make_venue(engine, name="A Few Days Older", safe_haven_from=None).id
    award(engine, other, today() - timedelta(days=3), None)
    asked = {"scheme": "safe_haven", "on": today().isoformat()}
    answer = officer.get("/v1/admin/certificates.pdf", params=asked)
    (page,) = pages_of(answer.content)
    assert awarded["certificate"] in page


def test_it_must_be_clear_which(officer: httpx.Client) -> None:
    day = {"scheme": "safe_haven", "on": "2026-03-02"}
    for asked, status in (
        ({}, 422),
        ({"scheme": "safe_haven"}, 422),
        ({"on": "2026-03-02"}, 422),
        (day | {"season_id": str(uuid4())}, 422),
        (day | {"scheme": "michelin"}, 422),
        ({"season_id": "2026"}, 422),
        ({"season_id": str(uuid4())}, 404),
        (day, 409),
    ):
        answer = officer.get("/v1/admin/certificates.pdf", params=asked)
        assert answer.status_code == status, asked


# --- the check -------------------------------------------------------------------------------


def test_a_code_follows_the_award(
    officer: httpx.Client, anybody: httpx.Client, venue: UUID, awarded: Json
) -> None:
    code = code_on(certificate(officer, awarded))
    in_force = {
        "state": "in_force",
        "scheme": "safe_haven",
        "name": "Mothlight Bar",
        "until": awarded["until"],
    }
    assert verified(anybody, code) == in_force
    made(decide(officer, venue, "suspended"))
    assert verified(anybody, code) == NOT_IN_FORCE
    made(decide(officer, venue, "reinstated"))
    assert verified(anybody, code) == in_force
    until = (date.fromisoformat(awarded["until"]) + timedelta(days=30)).isoformat()
    made(decide(officer, venue, "awarded", until=until, override_reason="As before"))
    assert verified(anybody, code) == in_force | {"until": until}, "renewed without a gap"
    made(decide(officer, venue, "withdrawn"))
    assert verified(anybody, code) == NOT_IN_FORCE
    made(decide(officer, venue, "awarded", override_reason="Back again"))
    assert verified(anybody, code) == NOT_IN_FORCE, "that is another award"


def test_a_code_of_an_award_that_was_a_mistake(officer: httpx.Client, awarded: Json) -> None:
    code = code_on(certificate(officer, awarded))
    assert void(officer, awarded).status_code == 200
    assert verified(officer, code) == NOT_IN_FORCE


def test_a_code_is_read_as_people_write_it(officer: httpx.Client, awarded: Json) -> None:
    code = code_on(certificate(officer, awarded))
    told = verified(officer, code)
    mistaken = code.lower().replace("0", "o").replace("1", "l")
    for written in (in_groups(code), mistaken, f" {in_groups(code)} ", code.replace("1", "I")):
        assert verified(officer, written) == told, written


def test_guesses_confirm_nothing(
    officer: httpx.Client, anybody: httpx.Client, awarded: Json, drill: bool
) -> None:
    code = code_on(certificate(officer, awarded))
    near = {code[:place] + letter + code[place + 1 :] for place in range(12) for letter in LETTERS}
    far = {"".join(secrets.choice(LETTERS) for _ in code) for _ in range(9_620 if drill else 120)}
    guesses = (near | far) - {code}
    assert len(guesses) > 480
    answers = {anybody.get(f"/v1/verify/{guess}").content for guess in guesses}
    assert answers == {b'{"state":"unknown"}'}


def test_what_is_no_code_is_unknown(anybody: httpx.Client) -> None:
    for written in (
        *("0", "%00", "QF7K-2MXP-91T", "QF7K-2MXP-91TD0", "UUUU-UUUU-UUUU", "%F0%9F%8D%BA" * 12),
        *("A" * 100, "%ED%A0%80", "'%20OR%201=1--", "1234567890%C2%B2%C2%B3", "%FF"),
    ):
        assert verified(anybody, written) == UNKNOWN, written
    refused(anybody.get("/v1/verify/" + "A" * 5000), 422, "invalid")


def test_codes_outlive_the_keys_of_the_service(
    officer: httpx.Client, database_url: str, tmp_path: Path, awarded: Json
) -> None:
    code = code_on(certificate(officer, awarded))
    other = "another secret, of another year, long enough"
    with serving(make_app(database_url, tmp_path / "other", secret_key=other)) as client:
        assert verified(client, code)["name"] == "Mothlight Bar"


def test_a_database_in_trouble_is_said(anybody: httpx.Client, engine: Engine) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("ALTER TABLE certificate_code RENAME TO gone"))
    answer = anybody.get("/v1/verify/QF7K-2MXP-91TD")
    refused(answer, 503, "not-verified")
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("QF7K-2MXP-91TD", "QF7K2MXP91TD"),
        ("qf7k2mxp91td", "QF7K2MXP91TD"),
        (" qf7k 2mxp 91td ", "QF7K2MXP91TD"),
        ("OIlo-0110-0110", "011001100110"),
        ("QF7K-2MXP-91T", None),
        ("QF7K-2MXP-91TU", None),
        ("QF7K–2MXP–91TD", None),
        ("", None),
    ],
)
def test_codes_are_read_with_patience(written: str, code: str | None) -> None:
    assert read_code(written) == code
