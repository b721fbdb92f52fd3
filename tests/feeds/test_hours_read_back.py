"""Opening hours that were exported, read back by others: the same minutes of a year are open."""

import csv
import json
import subprocess
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from opening_hours import OpeningHours

from app.feeds import oruk
from app.feeds.listed import hours_of
from app.feeds.weekly import osm_text
from app.venues import osm_hours
from app.venues.hours import open_intervals
from app.web import schema_org
from tests.feeds.readers import (
    Opening,
    but_for_clock_changes,
    open_minutes,
    read_oruk,
    read_schema_org,
)
from tests.servers import ROOT

TODAY = date(2026, 11, 27)
DAYS = 365

DESIGNED = {
    "a night": "Fr-Sa 22:00-04:00",
    "a night into a day that is shut": "Sa 22:00-04:00; Dec 27 off",
    "a season": "Mo-Fr 06:30-17:30; May-Sep Mo-Fr 06:30-21:00",
    "a season over the new year": "Mo-Su 10:00-18:00; Dec 20-Jan 05 Mo-Su 12:00-02:00",
    "bank holidays": "Mo-Su 11:00-23:00; PH 12:00-16:00",
    "shut on bank holidays": "Mo-Su 22:00-05:00; PH off",
    "an exception of one year": "Mo-Su 09:00-17:00; 2027 Jun 03 off; 2027 Jun 04 09:00-03:00",
    "all day": "24/7",
    "all day but one": "24/7; Dec 25 off",
    "until midnight": "Mo-Su 10:00-24:00",
    "twice a day": "Mo-Fr 12:00-15:00,18:00-01:00",
    "a closure within a night": "Mo-Su 20:00-06:00; 2027 Feb 03 23:00-01:30 off",
    "a closure of a whole night": "24/7; 2027 Feb 03 12:00-36:00 off",
    "every day of the leap year": "Mo-Su 10:00-17:00; Feb 29 off",
}


def seed() -> dict[str, str]:
    """The hours of every venue of the demonstration, by reference."""
    with (ROOT / "seed" / "venues.csv").open() as file:
        return {row["reference"]: row["opening_hours"] for row in csv.DictReader(file)}


SEEDED = {name: text for name, text in seed().items() if text}


def haven_with(text: str) -> dict[str, Any]:
    return {
        "id": "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10",
        "name": "The Lantern",
        "category": "pub",
        "location": {"lat": 51.5, "lon": -0.09},
        "facilities": [],
        "step_free": "unknown",
        "schemes": [{"scheme": "safe_haven"}],
        "opening_hours": osm_hours.text(osm_hours.parse(text)),
    }


def ours(text: str, first: date) -> Any:
    known = open_intervals(osm_hours.parse(text), first, first + timedelta(days=DAYS))
    return but_for_clock_changes(open_minutes(known, first, DAYS), first)


def read_osm(text: str) -> Iterator[Opening]:
    """By a reader that others have made."""
    begin = datetime.combine(TODAY, time.min)
    end = begin + timedelta(days=DAYS)
    for opens, closes, state, _ in OpeningHours(text).intervals(begin, end):
        if str(state) == "open":
            yield opens, closes


@pytest.mark.parametrize("name", DESIGNED)
def test_others_read_the_same_minutes(name: str) -> None:
    assert_same_minutes(DESIGNED[name])


def test_of_every_venue_others_read_the_same_minutes(drill: bool) -> None:
    for text in [*SEEDED.values()][:: 1 if drill else 5]:
        assert_same_minutes(text)


def assert_same_minutes(text: str) -> None:
    haven, expected = haven_with(text), ours(text, TODAY)
    place = schema_org.place(haven, hours_of(haven, TODAY), {}, "")
    service = oruk.service(haven, TODAY)
    osm = osm_text(hours_of(haven, TODAY))
    for openings in (read_oruk(service), read_schema_org(place), read_osm(osm)):
        read = but_for_clock_changes(open_minutes(openings, TODAY, DAYS), TODAY)
        assert np.array_equal(read, expected), text
    assert expected.any()


def test_a_minute_that_is_wrong_is_found() -> None:
    haven = haven_with("Fr-Sa 22:00-04:00")
    service = oruk.service(haven, TODAY)
    service["schedules"][0]["closes_at"] = "04:01"
    read = but_for_clock_changes(open_minutes(read_oruk(service), TODAY, DAYS), TODAY)
    assert (read != ours("Fr-Sa 22:00-04:00", TODAY)).sum() == 104


def test_nothing_is_told_of_what_comes_after_an_accreditation() -> None:
    haven = haven_with("24/7") | {"schemes": [{"scheme": "safe_haven", "until": "2026-12-31"}]}
    service = oruk.service(haven, TODAY)
    assert {s["valid_to"] for s in service["schedules"]} == {"2026-12-31"}
    assert service["accreditations"] == "Safe Haven, until 2026-12-31"


def test_unknown_hours_are_no_schedule() -> None:
    haven = haven_with("24/7")
    del haven["opening_hours"]
    assert oruk.service(haven, TODAY)["schedules"] == []
    assert "Nobody has said when it is open." in oruk.service(haven, TODAY)["description"]


_OF_NODE = """
import oh from "opening_hours";
import { readFileSync } from "node:fs";
const { texts, first, days } = JSON.parse(readFileSync(0, "utf8"));
const place = { lat: 51.51, lon: -0.09, address: { country_code: "gb", state: "England" } };
const begin = new Date(first), end = new Date(begin.getTime() + days * 86400000);
const all = texts.map((text) => new oh(text, place, { locale: "en" })
  .getOpenIntervals(begin, end).map((i) => [i[0].getTime(), i[1].getTime()]));
console.log(JSON.stringify(all));
"""


@pytest.fixture(scope="module")
def opening_hours_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the reader of OpenStreetMap's own makers, where Node is and can fetch it."""
    if not (which("node") and which("npm")):
        pytest.skip("there is no Node.js here to read OpenStreetMap's hours with")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    fetch = ["npm", "install", "--silent", "--no-audit", "--no-fund", "opening_hours@3.15.0"]
    if subprocess.run(fetch, cwd=folder, check=False, capture_output=True).returncode:
        pytest.skip("npm can't fetch the reader of OpenStreetMap's hours")
    return folder


@pytest.mark.drill
def test_openstreetmap_s_own_reader_reads_the_same_minutes(opening_hours_js: Path) -> None:
    everything = DESIGNED | SEEDED
    texts = {name: osm_text(hours_of(haven_with(text), TODAY)) for name, text in everything.items()}
    script = opening_hours_js / "read.mjs"
    script.write_text(_OF_NODE)
    asked = {"texts": list(texts.values()), "first": f"{TODAY}T00:00:00Z", "days": DAYS}
    ran = subprocess.run(
        ["node", str(script)],
        input=json.dumps(asked),
        env={"TZ": "Europe/London", "PATH": str(Path(which("node") or "").parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = {}
    origin = int(np.datetime64(f"{TODAY}T00:00:00").astype(int)) // 60
    for name, intervals in zip(texts, json.loads(ran.stdout), strict=True):
        minutes = np.zeros(DAYS * 1440, dtype=np.bool_)
        for start, end in intervals:
            minutes[max(0, start // 60_000 - origin) : end // 60_000 - origin] = True
        differ = minutes != ours(everything[name], TODAY)
        # It counts from midnight, and is an hour out on all of a day on which clocks change.
        if but_for_clock_changes(differ, TODAY, hours=24).any():
            wrong[name] = everything[name], int(differ.sum())
    assert wrong == {}
