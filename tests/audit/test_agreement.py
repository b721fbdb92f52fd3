"""The public listing, the officer's view and the audit say the same of every venue's standing."""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, select
from sqlmodel import Session

from app.db import read_session
from app.schemes.known import standings, timelines
from app.schemes.listing import listings
from app.schemes.models import NO_END, Accreditation
from app.schemes.registry import LISTS_PUBLICLY, SchemeKey
from app.schemes.rules import NOTHING, Standing, State
from app.venues.models import VenueStatus
from tests.accounts import make_app, signed_in
from tests.audit.history import DAYS, FIRST_DAY, History
from tests.audit.oracle import Events, Oracle, Stands, day_of, start_of
from tests.factories import connected
from tests.servers import serving, serving_directory

INSTANTS = 1_000
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""Later than all that was recorded."""

Key = tuple[UUID, SchemeKey]


@pytest.fixture(scope="session")
def instants(history: History) -> list[datetime]:
    """At any time in two years; and when something takes effect or runs out, or just before."""
    chance = random.Random(3)
    began = start_of(FIRST_DAY)
    some = [began + timedelta(days=chance.uniform(0, DAYS + 200)) for _ in range(INSTANTS - 400)]
    for decision in chance.sample(history.decisions, 400):
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
    assert compared == len(history.venues) * len(SchemeKey) * INSTANTS


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
        return [[NOTHING, *there][bisect_right(starts, at)] for at in instants]

    return stands


def _standing(row: Accreditation) -> Standing:
    return Standing(
        state=State(row.state),
        since=row.since,
        until=None if row.until == NO_END else row.until,
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
    officer: httpx.Client, session: Session, history: History, instants: list[datetime]
) -> None:
    chance = random.Random(6)
    at_known = cache(lambda known_at: timelines(session, known_at))
    known = [NOW, *chance.sample(instants, 3)]
    for at in chance.sample(instants, 40):
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
