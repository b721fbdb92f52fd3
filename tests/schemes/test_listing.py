"""What the public, the importer and the lookup table get from the decisions, on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from app.core.batch import Batch
from app.core.db import make_engine, read_session
from app.core.events import recorded, void
from app.core.journal import Journal
from app.core.london import effective
from app.core.settings import Settings
from app.schemes.history import decisions_of, settle, standing_at
from app.schemes.imported import awards_from_import, imported_window
from app.schemes.listing import listings
from app.schemes.models import NO_LAST_DAY, Accreditation, Decision
from app.schemes.registry import SchemeKey, schemes
from app.schemes.rules import Kind, standing
from app.venues.models import DirectoryState
from tests.schemes.steps import add_pub

SAFE_HAVEN = SchemeKey.SAFE_HAVEN


@pytest.fixture
def journal(database_url: str, tmp_path: Path) -> Iterator[Journal]:
    engine = make_engine(database_url)
    yield Journal(engine, b"k" * 32, tmp_path / "journal.head")
    engine.dispose()


def add(
    session: Session,
    venue_id: UUID,
    kind: Kind,
    when: datetime,
    until: date | None = None,
    scheme: SchemeKey = SAFE_HAVEN,
) -> Decision:
    """Record a decision whether it is a legal step or not."""
    decision = Decision(
        venue_id=venue_id,
        scheme=scheme,
        kind=kind,
        effective_at=when,
        until=until,
        grade="commended",
        **recorded(session),
    )
    session.add(decision)
    settle(session, venue_id, scheme)
    return decision


def second(when: datetime) -> int:
    return int(when.timestamp())


def test_windows_are_whole_seconds_inside_the_span_and_never_longer(journal: Journal) -> None:
    start, noon = effective(date(2027, 7, 1)), datetime(2027, 7, 10, 12, tzinfo=UTC)
    split = timedelta(microseconds=300)
    pubs = [add_pub(journal, reference) for reference in "ABCD"]
    with journal.writing("account p.okafor") as session:
        add(session, pubs[0], Kind.AWARDED, start, date(2027, 7, 20))
        add(session, pubs[1], Kind.AWARDED, start - timedelta(days=400), date(2028, 1, 1))
        add(session, pubs[1], Kind.SUSPENDED, noon + split)
        add(session, pubs[1], Kind.REINSTATED, noon + timedelta(hours=1) + split)
        add(session, pubs[2], Kind.AWARDED, start - timedelta(days=400), date(2027, 6, 30))
        add(session, pubs[3], Kind.AWARDED, start, scheme=SchemeKey.ASK_FOR_ANGELA)
    within = second(start + timedelta(days=1)), second(start + timedelta(days=13))
    with read_session(journal.engine) as session:
        found = listings(session, within, noon)
        assert {venue: listing.windows for venue, listing in found.items()} == {
            pubs[0].hex: (within,),
            pubs[1].hex: (
                (within[0], second(noon)),
                (second(noon + timedelta(hours=1)) + 1, within[1]),
            ),
            pubs[3].hex: (),
        }
        assert {venue: listing.schemes for venue, listing in found.items()} == {
            pubs[0].hex: ({"scheme": "safe_haven", "until": "2027-07-20", "grade": "commended"},),
            pubs[1].hex: ({"scheme": "safe_haven", "until": "2028-01-01", "grade": "commended"},),
            pubs[3].hex: ({"scheme": "ask_for_angela", "grade": "commended"},),
        }


def test_a_decision_changes_the_directory_however_it_is_made(journal: Journal) -> None:
    def version() -> int:
        with read_session(journal.engine) as session:
            return session.exec(select(DirectoryState.version)).one()

    pub = add_pub(journal)
    versions = [version()]
    with journal.writing("account p.okafor") as session:
        add(session, pub, Kind.AWARDED, effective(date(2027, 7, 1)), date(2027, 7, 20))
    versions.append(version())
    for statement in ("UPDATE decision SET until = '2027-07-21'", "DELETE FROM decision"):
        with journal.engine.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql(statement)
        versions.append(version())
    assert all(one < other for one, other in pairwise(versions))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(Kind), st.integers(-96, 48), st.integers(0, 4), st.booleans()),
        max_size=7,
    )
)
def test_the_lookup_table_says_what_the_rules_say(
    journal: Journal, drawn: list[tuple[Kind, int, int, bool]]
) -> None:
    pub = add_pub(journal, f"V{datetime.now(UTC).timestamp()}")
    noon = datetime.now(UTC).replace(hour=12, minute=0)
    for kind, hours, days, mistake in drawn:
        when = noon + timedelta(hours=hours)
        until = when.date() + timedelta(days=days) if kind is Kind.AWARDED and days else None
        with journal.writing("account p.okafor") as session:
            decision = add(session, pub, kind, when, until)
            if mistake:
                void(session, decision, "A mistake")
                settle(session, pub, SAFE_HAVEN)
    with read_session(journal.engine) as session:
        decisions = decisions_of(session, pub, SAFE_HAVEN)
        for hours in (0, 1, 24, 60, 24 * 8):
            at = datetime.now(UTC) + timedelta(hours=hours)
            row = session.exec(
                select(Accreditation).where(*standing_at(at), col(Accreditation.venue_id) == pub)
            ).one_or_none()
            there = standing(decisions, at)
            if row is None:
                assert there.state == "none"
                continue
            shown = {name: getattr(row, name) for name in there._asdict()}
            assert shown == there._asdict() | {"until": there.until or NO_LAST_DAY}


def test_an_import_awards_once(journal: Journal) -> None:
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    fresh, applied, mistaken = (add_pub(journal, reference) for reference in "ABC")
    with journal.planning("import") as session:
        assert imported_window(session) == {}
        batch = Batch(session)
        awards_from_import(batch, [(fresh, first, last)])
    batch.write(journal, [Decision])
    with journal.writing("import") as session:
        made = session.exec(select(Decision)).one()
        assert (made.effective_at, made.until) == (effective(first), last)
        assert made.certificate is None
        add(session, applied, Kind.APPLIED, effective(first))
        void(session, add(session, mistaken, Kind.AWARDED, effective(first), last), "A mistake")
    with read_session(journal.engine) as session:
        assert imported_window(session) == {
            fresh: (first, last),
            applied: (None, None),
            mistaken: (None, None),
        }
    with journal.writing("account p.okafor") as session:
        add(session, fresh, Kind.AWARDED, effective(date(2026, 6, 1)), date(2027, 5, 31))
        add(session, fresh, Kind.WITHDRAWN, effective(date(2026, 7, 1)))
    with read_session(journal.engine) as session:
        assert imported_window(session)[fresh] == (date(2026, 6, 1), date(2027, 5, 31))


def test_an_area_has_its_own_checklist(monkeypatch: pytest.MonkeyPatch) -> None:
    def ours(**given: object) -> None:
        made = Settings.model_validate(given)
        monkeypatch.setattr("app.schemes.registry.settings", lambda: made)
        schemes.cache_clear()

    try:
        checklist = {"two_staff": "Two trained members of staff", "cctv": "CCTV at the door"}
        ours(safe_haven_months=24, schemes={"safe_haven": {"criteria": checklist}})
        assert schemes()[SAFE_HAVEN].criteria == checklist
        assert schemes()[SAFE_HAVEN].months == 24
        assert schemes()[SchemeKey.ASK_FOR_ANGELA].months == 12
        ours(schemes={"safe_haven": {"months": 6}})
        assert (schemes()[SAFE_HAVEN].months, len(schemes()[SAFE_HAVEN].criteria)) == (6, 8)
        ours(schemes={"best_pub": {"months": 6}})
        with pytest.raises(ValueError, match="best_pub"):
            schemes()
        with pytest.raises(ValueError, match="criteria"):
            ours(schemes={"safe_haven": {"criteria": {"No Key": "Title"}}})
    finally:
        schemes.cache_clear()
