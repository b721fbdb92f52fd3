"""Opening hours as people write them, from the import to what the public is told."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from app.core.db import connected, read_session
from app.directory import render
from app.directory.build import build
from app.directory.engine.search import Search
from app.venues.models import Venue
from tests.factories import BANK, london
from tests.sheets.register import import_venues

WRONG_IN_THE_REFERENCE = {
    ("Mo-We 11:00-23:00; Th-Sa 11:00-02:00; Su 12:00-22:30", "2027-03-29T00:26"),
    ("We-Th 17:00-01:00; Fr-Sa 17:00-03:00; Su 12:00-22:00", "2027-03-29T00:36"),
}
"""Early on the Monday after a Sunday of 23 hours, both shut since Sunday night. The reference
goes back 24 hours to find the night before, comes to Saturday's, and calls them open."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


def as_csv(texts: list[str]) -> bytes:
    """A venue for each text, accredited all the while; its reference is the text's number."""
    file = io.StringIO()
    writer = csv.writer(file)
    columns = ["reference", "name", "category", "latitude", "longitude", "opening_hours"]
    writer.writerow([*columns, "safe_haven_from", "safe_haven_until"])
    for number, hours in enumerate(texts):
        place = ["pub", BANK.lat, BANK.lon]
        writer.writerow([number, hours, *place, hours, "2026-01-01", "2028-12-31"])
    return file.getvalue().encode()


def test_the_public_is_told_what_a_person_would_expect(engine: Engine, real_data: Path) -> None:
    """The instants are London's and in no hour that comes twice; texts go in as an officer's do."""
    cases = json.loads((real_data / "opening_hours_cases.json").read_text())
    texts = sorted({case["opening_hours"] for case in cases})
    report = import_venues(engine, as_csv(texts))
    assert len(report.created) == len(texts) >= 14
    with read_session(engine) as session:
        ids = {texts[int(v.reference)]: v.id for v in session.exec(select(Venue))}

    wrong = defaultdict(list)
    cases.sort(key=lambda case: case["at"])
    for day, of_day in groupby(cases, lambda case: str(case["at"][:10])):
        with read_session(engine) as session:
            search = Search(build(session, london(f"{day}T00:00")))
        for case in of_day:
            row = search.row(ids[case["opening_hours"]])
            assert row is not None
            shown = json.loads(render.one_haven(search, row, london(case["at"])))
            expected = case["state"]
            if (case["opening_hours"], case["at"]) in WRONG_IN_THE_REFERENCE:
                assert expected == "open"
                expected = "closed"
            if shown["open"]["state"] != expected:
                wrong[case["opening_hours"]].append(f"{case['at']} is {expected}")
    assert not wrong
    assert len(cases) > 900
