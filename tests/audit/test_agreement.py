"""The public listing, the officer's view and the audit say the same, whatever both have."""

import random
import shutil
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, select
from sqlmodel import Session

from app.audit.frame.names import NO_WARD
from app.core.db import connected, read_session
from app.core.london import LONDON
from app.outreach.models import EngagementKind
from app.schemes.listing import listings
from app.schemes.models import NO_LAST_DAY, Accreditation
from app.schemes.registry import LISTS_PUBLICLY, SchemeKey
from app.schemes.rules import NO_STANDING, Standing, State
from app.schemes.timelines import standings, timelines
from app.venues.models import VenueStatus
from tests.accounts import make_app, signed_in
from tests.audit.history import DAYS, FIRST_DAY, History
from tests.audit.oracle import Events, Oracle, Stands, day_of, start_of
from tests.conftest import Scale
from tests.factories import make_ward
from tests.servers import client_of, serving, serving_directory

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""Later than all that was recorded."""

Key = tuple[UUID, SchemeKey]
_Case = TypeVar("_Case")


@pytest.fixture(scope="session")
def instants(history: History, scale: Scale) -> list[datetime]:
    """At any time in two years; and when something takes effect or runs out, or just before."""
    chance = random.Random(3)
    began = start_of(FIRST_DAY)
    some = [began + timedelta(days=chance.uniform(0, DAYS + 200)) for _ in range(scale(600))]
    for decision in chance.sample(history.decisions, scale(400)):
        last = decision.until
        turn = start_of(last + timedelta(days=1)) if last else decision.effective_at
        some.append(turn - timedelta(microseconds=chance.randrange(2)))
    return sorted(some)


@pytest.fixture
def engine(history_url: str) -> Iterator[Engine]:
    with connected(history_url) as engine:
        yield engine


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with read_session(engine) as session:
        yield session


def test_the_audit_and_the_officers_list_agree(
    session: Session, history: History, instants: list[datetime]
) -> None:
    audit, listed = timelines(session, NOW), _lookup(session)
    compared = 0
    for venue in history.venues:
        for scheme in SchemeKey:
            key = venue.id, scheme
            ours = standings(audit.get(key, []), instants)
            theirs = listed(key, instants)
            assert ours == theirs, key
            compared += len(ours)
    assert compared == len(history.venues) * len(SchemeKey) * len(instants)


def _lookup(session: Session) -> Callable[[Key, Sequence[datetime]], list[Standing]]:
    """How the table that officers' lists look up has a venue stand at some instants."""
    rows = defaultdict(list)
    for row in session.scalars(select(Accreditation).order_by(Accreditation.starts_at)):  # type: ignore[arg-type]
        rows[row.venue_id, SchemeKey(row.scheme)].append(row)

    def stands(key: Key, instants: Sequence[datetime]) -> list[Standing]:
        there = [_standing(row) for row in rows[key]]
        starts = [row.starts_at for row in rows[key]]
        ends = [row.ends_at for row in rows[key]]
        # One standing lasts until the next begins, so that a lookup finds one row or none.
        assert ends == [*starts[1:], None] or not starts
        return [[NO_STANDING, *there][bisect_right(starts, at)] for at in instants]

    return stands


def _standing(row: Accreditation) -> Standing:
    return Standing(
        state=State(row.state),
        since=row.since,
        until=None if row.until == NO_LAST_DAY else row.until,
        grade=row.grade,
        certificate=row.certificate,
        pending=row.pending,
    )


def test_the_audit_and_the_public_listing_agree(
    session: Session, history: History, instants: list[datetime]
) -> None:
    audit = timelines(session, NOW)
    first, last = int(instants[0].timestamp()) - 10, int(instants[-1].timestamp()) + 10
    public = listings(session, (first, last), NOW)
    for venue in history.venues:
        ours = standings(audit.get((venue.id, LISTS_PUBLICLY), []), instants)
        windows = public[venue.id.hex].windows if venue.id.hex in public else ()
        # All in this history takes effect on a whole second.
        theirs = [any(start <= at.timestamp() < end for start, end in windows) for at in instants]
        assert [one.state is State.IN_FORCE for one in ours] == theirs, venue.id


def test_the_audit_and_the_schemes_that_the_public_sees_agree(
    session: Session, history: History, instants: list[datetime]
) -> None:
    audit = timelines(session, NOW)
    some = instants[::100]
    ours = {key: standings(spans, some) for key, spans in audit.items()}
    for place, at in enumerate(some):
        expected = defaultdict(list)
        for (venue_id, scheme), several in sorted(ours.items()):
            if (there := several[place]).state is State.IN_FORCE:
                until = there.until and there.until.isoformat()
                shown = {"scheme": str(scheme), "until": until, "grade": there.grade}
                expected[venue_id].append({k: v for k, v in shown.items() if v is not None})
        # Nothing is listed in a span of no length: what is left is the schemes.
        public = listings(session, (0, 0), at)
        assert {UUID(id_): list(one.schemes) for id_, one in public.items()} == expected


@pytest.fixture(scope="session")
def readings(
    history: History, instants: list[datetime]
) -> list[tuple[datetime, datetime, dict[Key, Stands]]]:
    """How every venue stood at some instants, as known at others, by the slow computation."""
    chance = random.Random(5)
    events, found = Events(history), []
    for at in instants[::50]:
        known_at = chance.choice((NOW, at, at + timedelta(days=chance.uniform(-90, 90))))
        oracle = Oracle(events, day_of(at), known_at)
        stands = {
            (venue.id, SchemeKey(scheme)): there
            for venue in history.venues
            for scheme, there in oracle.standing(venue.id, at).items()
        }
        found.append((at, known_at, stands))
    return found


def test_the_audit_and_an_independent_reading_agree(
    session: Session, readings: list[tuple[datetime, datetime, dict[Key, Stands]]]
) -> None:
    for at, known_at, stands in readings:
        audit = timelines(session, known_at)
        for key, there in stands.items():
            (ours,) = standings(audit.get(key, []), [at])
            assert (ours.state, ours.since, ours.award, ours.pending) == (
                there.state,
                there.since,
                (there.until, there.grade, there.certificate),
                there.pending,
            ), (key, at, known_at)


# --- over HTTP -------------------------------------------------------------------------------


@pytest.fixture
def officer(history_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    app = make_app(history_url, tmp_path)
    with serving(app) as client:
        client.headers.update(signed_in(app, "officer"))
        yield client
    app.state.journal.engine.dispose()


def test_the_officers_screens_agree(
    officer: httpx.Client,
    session: Session,
    history: History,
    instants: list[datetime],
    scale: Scale,
) -> None:
    chance = random.Random(6)
    at_known = cache(lambda known_at: timelines(session, known_at))
    known = [NOW, *chance.sample(instants, 3)]
    for at in chance.sample(instants, scale(40)):
        venue, known_at, on = chance.choice(history.venues), chance.choice(known), day_of(at)
        asked = {"on": on.isoformat(), "known_at": known_at.isoformat()}
        shown = officer.get(f"/v1/admin/venues/{venue.id}/standing", params=asked)
        assert shown.status_code == 200, shown.text
        for there in shown.json()["schemes"]:
            spans = at_known(known_at).get((venue.id, SchemeKey(there["scheme"])), [])
            end = start_of(on + timedelta(days=1)) - timedelta(microseconds=1)
            (ours,) = standings(spans, [end])
            assert _shown(there) == _told(ours)


def test_the_officers_list_of_today_agrees(
    officer: httpx.Client, session: Session, history: History
) -> None:
    now = datetime.now(UTC)
    expected = {
        (str(venue_id), str(scheme)): _told(there)
        for (venue_id, scheme), spans in timelines(session, now).items()
        for there in standings(spans, [now])
        if there.state is not State.NONE
    }
    listed, asked = {}, {"limit": 200}
    while asked:
        answer = officer.get("/v1/admin/accreditations", params=asked).json()
        for there in answer["items"]:
            listed[there["venue"]["id"], there["scheme"]] = _shown(there)
        asked = {"limit": 200, "after": answer["next"]} if "next" in answer else {}
    assert listed == expected


def _shown(there: dict[str, Any]) -> dict[str, Any]:
    names = ("state", "since", "until", "grade", "certificate", "pending")
    shown = {name: there[name] for name in names if name in there}
    if "since" in shown:
        shown["since"] = datetime.fromisoformat(shown["since"])
    return shown


def _told(there: Standing) -> dict[str, Any]:
    told = there._asdict() | {"until": there.until and there.until.isoformat()}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize("hours", [200 * 24 + 3, 600 * 24 + 23])
def test_the_public_directory_agrees(
    history_url: str, session: Session, history: History, tmp_path: Path, hours: int
) -> None:
    at = start_of(FIRST_DAY) + timedelta(hours=hours)
    with serving_directory(tmp_path / "data", history_url, at.timestamp) as public:
        havens = public.get("/v1/havens").json()["havens"]
    audit = timelines(session, NOW)
    schemes: defaultdict[str, set[str]] = defaultdict(set)
    for (venue_id, scheme), spans in audit.items():
        (there,) = standings(spans, [at])
        if there.state is State.IN_FORCE:
            schemes[str(venue_id)].add(scheme)
    expected = {
        id_: schemes[id_]
        for id_ in (str(v.id) for v in history.venues if v.status == VenueStatus.ACTIVE)
        if LISTS_PUBLICLY in schemes[id_]
    }
    assert {
        haven["id"]: {one["scheme"] for one in haven["schemes"]} for haven in havens
    } == expected
    assert len(expected) > 50


# --- figures that both have ------------------------------------------------------------------

TESTS, SCHEME_TESTS = "/v1/admin/scheme-tests", "/v1/audit/scheme-tests"
ALDGATE, TOWER = (-0.095, "W-A", "Aldgate"), (-0.085, "W-T", "Tower")
"""Two wards, squares side by side: the longitude of the middle, code and name."""

QUARTERS = [
    ("2025-Q1", "2025-01-01", "2025-03-31"),
    ("2025-Q2", "2025-04-01", "2025-06-30"),
    ("2025-Q3", "2025-07-01", "2025-09-30"),
]


def answered(client: httpx.Client, path: str, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@dataclass
class Told:
    """A register in which a venue moved, became a bar and closed, with work between these."""

    officer: httpx.Client
    auditor: httpx.Client
    moving: str = ""
    venues: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """The instants before each change, and one after the last."""

    def record(self, path: str, **given: Any) -> str:
        answer = self.officer.post(f"/v1/admin/{path}", json=given)
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_

    def register(self, name: str, longitude: float, **given: Any) -> str:
        place = {"lat": 51.515, "lon": longitude}
        usual = {"category": "pub", "location": place, "as_from": "2024-06-01"}
        self.venues.append(self.record("venues", name=name, **usual | given))
        return self.venues[-1]

    def change(self, method: str, path: str = "", **given: Any) -> None:
        self.known.append(datetime.now(UTC).isoformat())
        venue = f"/v1/admin/venues/{self.moving}"
        state = {"If-Match": self.officer.get(venue).headers["ETag"]}
        answer = self.officer.request(method, venue + path, json=given, headers=state)
        assert answer.status_code == 200, answer.text

    def work(self, venue: str, on: str, result: str) -> None:
        """One of everything that figures count."""
        there = {"venue_id": venue, "on": on}
        self.record("scheme-tests", **there, result=result)
        self.record("engagements", **there, kind="visit", outcome="interested")
        self.record(f"venues/{venue}/headcounts", on=on, staff=9, left=1)
        some = {"venue_id": venue, "role": "bar_staff", "new": 3, "refresher": 1}
        self.record("training/sessions", course="wave", on=on, attendances=[some])


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """Made once on each kind of database, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("told")
    template = request.getfixturevalue(f"{request.param}_template")
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copyfile(template, folder / 'havens.sqlite')}"
    else:
        url = request.getfixturevalue("postgres").create("told", template)
    app = make_app(url, folder)
    engine: Engine = app.state.journal.engine
    with (
        serving(app) as anybody,
        client_of(anybody.base_url, signed_in(app, "officer")) as officer,
        client_of(anybody.base_url, signed_in(app, "licensing")) as auditor,
    ):
        yield _told_all(engine, Told(officer, auditor))
    engine.dispose()


def _told_all(engine: Engine, told: Told) -> Told:
    for middle, code, name in (ALDGATE, TOWER):
        west, east = middle - 0.005, middle + 0.005
        ring = [[west, 51.51], [east, 51.51], [east, 51.52], [west, 51.52], [west, 51.51]]
        boundary = {"type": "Polygon", "coordinates": [ring]}
        make_ward(engine, code=code, name=name, boundary=boundary)
    business = told.record("businesses", name="Lantern Inns Ltd")
    told.moving = told.register("The Lantern", ALDGATE[0], business_id=business)
    told.work(told.moving, "2025-02-14", "failed")
    for name, longitude, result in (
        ("The Mitre", ALDGATE[0], "failed"),
        ("The Anchor", TOWER[0], "passed"),
        ("The Barge", -0.07, "passed"),
    ):
        told.work(told.register(name, longitude, business_id=business), "2025-02-01", result)
    tower = {"lat": 51.515, "lon": TOWER[0]}
    told.change("PUT", location=tower, business_id=None, as_from="2025-03-15")
    told.work(told.moving, "2025-03-20", "failed")
    told.change("PUT", category="bar", as_from="2025-05-01")
    told.work(told.moving, "2025-05-20", "passed")
    told.work(told.moving, "2025-06-10", "failed")
    told.change("POST", "/close", reason="The premises were sold", on="2025-07-10")
    # What is entered late, after the venue has closed.
    told.work(told.moving, "2025-07-01", "passed")
    told.work(told.moving, "2025-07-02", "failed")
    whole = {"business_id": business, "on": "2025-07-20"}
    told.record("engagements", **whole, kind="call", outcome="other")
    told.known.append(datetime.now(UTC).isoformat())
    return told


def went(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["visited"], row["passed"], row.get("rate")


def some(cases: Iterable[_Case], drill: bool) -> list[_Case]:
    """A third of the cases, with each of what they are combined from; in a drill all."""
    return list(cases)[:: 1 if drill else 3]


def test_figures_of_scheme_tests_agree(told: Told, drill: bool) -> None:
    where = []
    known = (*told.known, None)
    periods = [
        *((first, last) for _, first, last in QUARTERS),
        ("2025-01-01", "2025-09-30"),
        ("2024-01-01", "2024-12-31"),
    ]
    for (first, last), known_at in (
        *product([("2025-02-01", "2025-02-28")], known),
        *some(product(periods, known), drill),
    ):
        asked = {"from": first, "until": last, **({"known_at": known_at} if known_at else {})}
        ours = answered(told.officer, f"{TESTS}/figures", **asked)
        theirs = answered(told.auditor, SCHEME_TESTS, **asked)
        assert went(ours) == went(theirs["total"][0]), asked
        wards = [(row.get("ward", NO_WARD), *went(row)) for row in ours["wards"]]
        assert wards == [(row["ward"], *went(row)) for row in theirs["wards"]], asked
        for _, code, name in (ALDGATE, TOWER):
            there = answered(told.auditor, SCHEME_TESTS, **asked, ward=code)["wards"]
            assert [(name, *went(row)) for row in there] == [w for w in wards if w[0] == name]
        of_sort = [
            answered(told.auditor, SCHEME_TESTS, **asked, category=sort)["total"][0]
            for sort in ("pub", "bar")
        ]
        assert sum(row["visited"] for row in of_sort) == ours["visited"]
        where.append([(ward, visited) for ward, visited, *_ in wards])
    before, *_, since = where[: len(told.known)]
    assert before == [("Aldgate", 2), ("Tower", 1), (NO_WARD, 1)]
    assert since == [("Aldgate", 1), ("Tower", 2), (NO_WARD, 1)], "where the venue has moved to"


def test_figures_of_engagements_and_training_agree(told: Told, drill: bool) -> None:
    for (quarter, first, last), known_at in some(product(QUARTERS, told.known), drill):
        asked = {"from": first, "until": last, "known_at": known_at}
        outreach = answered(told.officer, "/v1/admin/outreach/figures", **asked)
        training = answered(told.officer, "/v1/admin/training/figures", **asked)
        known = {"quarter": quarter, "known_at": known_at}
        pack = answered(told.auditor, "/v1/audit/pack", **known)
        assert {row["measure"]: row["number"] for row in pack["activity"]} == {
            "businesses": outreach["businesses_engaged"],
            "engagements": outreach["engagements"],
            "sessions": training["sessions"],
            "venues_trained": training["venues"],
            "people": training["trained"]["total"],
            "new": training["trained"]["new"],
            "refresher": training["trained"]["refresher"],
        }
        assert [(row["sort"], row["engagements"]) for row in pack["engagement_kinds"]] == [
            (row["kind"], row["engagements"]) for row in outreach["by_kind"]
        ]
        assert [
            (row["course"], row["sessions"], row["venues"], row["new"], row["refresher"])
            for row in pack["training_courses"]
        ] == [
            (row["course"], row["sessions"], row["venues"], *list(row["trained"].values())[:2])
            for row in training["courses"]
        ]
        of_sort = [
            answered(told.auditor, "/v1/audit/pack", **known, category=sort)["training_courses"]
            for sort in ("pub", "bar")
        ]
        assert [sum(row["people"] for row in rows) for rows in zip(*of_sort, strict=True)] == [
            row["trained"]["total"] for row in training["courses"]
        ]


def test_what_both_say_of_one_venue_agrees(told: Told, drill: bool) -> None:
    days = ("2025-02-14", "2025-03-20", "2025-07-01", "2026-03-20", "2026-05-21")
    for venue, day, known_at in some(product(told.venues, days, told.known), drill):
        at = {"known_at": known_at}
        ours = answered(told.officer, f"/v1/admin/venues/{venue}/training", on=day, **at)
        theirs = answered(told.auditor, f"/v1/audit/venues/{venue}", as_at=day, **at)
        for row, same in zip(ours["courses"], theirs["training"], strict=True):
            assert same.pop("headcount", None) == ours.get("headcount")
            del row["attendances"], same["sources"]
            assert row == same
    for venue in told.venues:
        shown = answered(told.officer, TESTS, venue_id=venue)["items"]
        tests = answered(told.auditor, f"/v1/audit/venues/{venue}")["tests"]
        assert sorted((one["on"], one.get("retest_by")) for one in shown) == sorted(
            (one["on"], one.get("retest_by")) for one in tests
        )


def test_what_is_still_to_be_tested_again_agrees(told: Told) -> None:
    listed = answered(told.officer, f"{TESTS}/retests")["items"]
    (total,) = answered(told.auditor, SCHEME_TESTS, **{"from": "2025-01-01"})["total"]
    due = answered(told.auditor, "/v1/audit/due")["retests"]
    assert [(one["test"]["venue"]["id"], one["retest_by"]) for one in listed] == [
        (one["venue_id"], one["on"]) for one in due
    ]
    assert (len(listed), total["retests_due"]) == (1, 1), "nobody is there to be tested again"


def test_the_officers_figures_and_an_independent_reading_agree(
    officer: httpx.Client, history: History, instants: list[datetime]
) -> None:
    chance, events = random.Random(8), Events(history)
    names = {ward.code: ward.name for ward in history.wards}
    counted: Counter[str] = Counter()
    for known_at in (NOW, *chance.sample(instants, 5)):
        first = FIRST_DAY + timedelta(days=chance.randrange(DAYS - 100))
        last = first + timedelta(days=chance.randrange(300))
        asked = {"from": str(first), "until": str(last), "known_at": known_at.isoformat()}
        outreach, training, tests = (
            answered(officer, f"/v1/admin/{name}/figures", **asked)
            for name in ("outreach", "training", "scheme-tests")
        )
        by_its_end = Oracle(events, last, known_at)
        engaged = by_its_end.engagements(first)
        assert outreach["businesses_engaged"] == len({one["with"] for one in engaged})
        assert {row["kind"]: row["engagements"] for row in outreach["by_kind"]} == {
            kind: sum(one["kind"] == kind for one in engaged) for kind in EngagementKind
        }
        delivered = by_its_end.delivered(first)
        assert training["sessions"] == len({one["session"] for one in delivered})
        venues = {one["venue"] for one in delivered} - {None}
        placed = [by_its_end.placed[venue] for venue in venues if venue in by_its_end.placed]
        runs = {facts.business_id for facts in placed} - {None}
        assert (training["venues"], training["businesses"]) == (len(venues), len(runs))
        for name in ("new", "refresher"):
            assert training["trained"][name] == sum(one[name] for one in delivered)
        today = Oracle(events, datetime.now(LONDON).date(), known_at)
        went = Counter(
            (names.get(one["ward"]), one["passed"]) for one in today.scheme_tests(first, last)
        )
        assert {row.get("ward"): (row["visited"], row["passed"]) for row in tests["wards"]} == {
            ward: (went[ward, True] + went[ward, False], went[ward, True]) for ward, _ in went
        }
        counted += {"engaged": len(engaged), "delivered": len(delivered), "visited": went.total()}
    assert min(counted.values()) > 100
