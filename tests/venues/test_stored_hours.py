"""Hours that a database has held since before they were refused, on both databases."""

import csv
import io
from datetime import date
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.audit.records import add_venue
from tests.conftest import SignIn
from tests.factories import BANK
from tests.servers import until
from tests.venues.desk import VENUES, change, problem

SAME = {"opens": "00:00", "closes": "00:00"}
WHY = "00:00-00:00 opens and closes at the same time: write 00:00-24:00 for the whole day, or off"
DOCUMENTS: dict[str, Any] = {
    "weekly": {"weekly": [SAME | {"days": ["Sa", "Su"]}]},
    "bank holidays": {"bank_holidays": [SAME]},
    "exception": {"exceptions": [{"first": "12-01", "last": "12-31", "times": [SAME]}]},
    "no hours at all": {"weekly": [{"days": ["Mo"], "from": 9}]},
    "no document": "Mo-Fr 09:00-17:00",
}
VENUE = sa.table("venue", sa.column("reference"), sa.column("hours", sa.JSON))


@pytest.fixture
def engine(app: Any) -> Engine:
    """The application's database, with a venue for each document."""
    engine: Engine = app.state.journal.engine
    for reference in DOCUMENTS:
        add_venue(engine, reference=reference, safe_haven_from=date(2020, 1, 1))
    with engine.execution_options(writes=True).begin() as connection:
        for reference, document in DOCUMENTS.items():
            at = VENUE.c.reference == reference
            connection.execute(sa.update(VENUE).where(at).values(hours=document))
    return engine


@pytest.fixture
def ids(engine: Engine) -> dict[str, str]:
    """The venues by reference."""
    found = sa.table("venue", sa.column("reference"), sa.column("id", sa.Uuid))
    with engine.connect() as connection:
        return {row.reference: str(row.id) for row in connection.execute(sa.select(found))}


@pytest.fixture
def reader(ids: dict[str, str], sign_in: SignIn) -> httpx.Client:
    """Somebody who may read and write all, once the directory has all the venues."""
    client = sign_in("officer", "licensing")
    until(lambda: client.get(f"/v1/havens/{ids['weekly']}").is_success)
    return client


def shown(client: httpx.Client, path: str, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def unknown(client: httpx.Client) -> dict[str, str]:
    """The venues whose hours are unknown to the data quality report, with its reason."""
    found = shown(client, "/v1/audit/quality")["findings"]
    return {row["reference"]: row["detail"] for row in found if row["check"] == "hours_unknown"}


def test_what_is_refused_by_now_counts_as_unknown(
    reader: httpx.Client, ids: dict[str, str]
) -> None:
    public = shown(reader, "/v1/havens")["havens"]
    for haven in (*public, *(shown(reader, f"/v1/havens/{id_}") for id_ in ids.values())):
        assert haven.keys().isdisjoint({"opening_hours", "availability"})
    answer = shown(reader, "/v1/havens/nearest", lat=BANK.lat, lon=BANK.lon)
    assert answer["havens"] == answer["closing"] == answer["opens_next"] == []
    for id_ in ids.values():
        assert shown(reader, f"/v1/havens/{id_}")["open"] == {"state": "unknown"}
        assert "opening_hours" not in shown(reader, f"{VENUES}/{id_}")
        assert shown(reader, f"{VENUES}/{id_}/hours") == {"next_seven_days": []}
        tried = reader.post(f"{VENUES}/{id_}/hours/preview", json={"text": "24/7"})
        assert tried.json()["text"] == "24/7"
        assert shown(reader, f"/v1/audit/venues/{id_}")["identity"][0]["hours_known"] is False
    shown(reader, "/v1/audit/coverage")

    details = unknown(reader)
    assert details.keys() == DOCUMENTS.keys()
    for reference in ("weekly", "bank holidays", "exception"):
        assert details[reference] == f"listed to the public; what is stored is refused: {WHY}"
    assert all("what is stored is refused: " in detail for detail in details.values())


def test_it_goes_out_as_unknown_and_an_import_of_that_changes_nothing(
    reader: httpx.Client, ids: dict[str, str]
) -> None:
    sheet = reader.get("/v1/admin/bulk/venues.csv")
    assert sheet.status_code == 200, sheet.text
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"), newline="")))
    assert {row["reference"]: row["opening_hours"] for row in rows} == dict.fromkeys(ids, "")
    back = reader.post(
        "/v1/admin/bulk/venues", content=sheet.content, headers={"Content-Type": "text/csv"}
    )
    assert back.json()["unchanged"] == len(ids), back.text


def test_new_hours_take_its_place(reader: httpx.Client, ids: dict[str, str]) -> None:
    hours = f"{VENUES}/{ids['weekly']}/hours"
    exception = {"first": "2027-12-24", "last": "2027-12-24", "times": []}
    refused = change(reader, "POST", f"{hours}/exceptions", exception, of=hours)
    assert problem(refused) == (409, "hours-unknown")
    assert change(reader, "PUT", hours, {"text": "Mo-Su 10:00-22:00"}).status_code == 200
    assert "weekly" not in unknown(reader)
    until(lambda: shown(reader, f"/v1/havens/{ids['weekly']}")["open"]["state"] != "unknown")
