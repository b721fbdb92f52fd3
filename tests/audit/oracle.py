"""What the reports must come to, worked out slowly and apart from the service.

Written from what the rules say in words, one person and one decision at a time, on the rows of a
generated history. Nothing here asks the service how it reads those words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.audit.history import SOUTH, STEP, WEST, History, Row

LONDON = ZoneInfo("Europe/London")
COURSES = (
    *("wave", "ask_for_angela", "bystander", "makesafe", "spiking_awareness"),
    "safe_haven_briefing",
)
SCHEMES = ("safe_haven", "ask_for_angela", "safety_thirst", "womens_night_safety_charter")
USUAL_MONTHS = 12
GREEN, AMBER, DUE_DAYS, RETEST_DAYS = 75, 50, 60, 28


# --- days ------------------------------------------------------------------------------------


@cache
def day_of(instant: datetime) -> date:
    """The London day that an instant lies in."""
    return instant.astimezone(LONDON).date()


@cache
def start_of(day: date) -> datetime:
    """The first instant of a London day."""
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


@cache
def end_of(day: date) -> datetime:
    """The last instant of a London day, to the microsecond."""
    return start_of(day + timedelta(days=1)) - timedelta(microseconds=1)


@cache
def anniversary(day: date, months: int) -> date:
    """The same day so many months on; where that month has no such day, the first of the next."""
    year, month = day.year + (day.month - 1 + months) // 12, (day.month - 1 + months) % 12 + 1
    for there in (date(year, month, 1) + timedelta(days=n) for n in range(31)):
        if there.day == day.day or there.month != month:
            return there
    raise AssertionError


def month_ends(first: date, last: date) -> list[date]:
    """The last day of every month from the one of `first` to the one of `last`."""
    days = (first.replace(day=1) + timedelta(days=n) for n in range((last - first).days + 62))
    ends = [day for day in days if (day + timedelta(days=1)).day == 1]
    return [day for day in ends if day.replace(day=1) <= last]


# --- training --------------------------------------------------------------------------------


@dataclass
class Person:
    """Somebody who was trained; who it is nobody knows."""

    trained_on: date


@dataclass(frozen=True)
class Trained:
    """How a venue stands in a course."""

    status: str
    trained: int
    headcount: int | None
    until: date | None

    @property
    def rag(self) -> str | None:
        if not self.headcount:
            return None
        if self.trained * 100 >= GREEN * self.headcount:
            return "green"
        return "amber" if self.trained * 100 >= AMBER * self.headcount else "red"


def trained_staff(
    attended: list[tuple[date, int, int]],
    declared: list[tuple[date, int, int]],
    months: int,
    on: date,
) -> Trained:
    """How a venue stands on a day. `attended` are the day, new people and refreshers; `declared`
    the day, staff and leavers, those of one day as they were recorded."""
    headcount = None
    for day, staff, _ in sorted(declared, key=lambda one: one[0]):
        if day <= on:
            headcount = staff
    past = [one for one in attended if one[0] <= on]
    if not past:
        return Trained("never", 0, headcount, None)
    there: list[Person] = []
    for day in sorted({one[0] for one in [*past, *declared] if one[0] <= on}):
        new = sum(number for when, number, _ in past if when == day)
        again = sum(number for when, _, number in past if when == day)
        in_date = [one for one in there if day < anniversary(one.trained_on, months)]
        lapsed = [one for one in there if day >= anniversary(one.trained_on, months)]
        oldest_first = [*_by_day(in_date), *_by_day(lapsed)]
        renewed = oldest_first[:again]
        for person in renewed:
            person.trained_on = day
        there += [Person(day) for _ in range(new)]
        for when, staff, leavers in declared:
            if when != day:
                continue
            in_date = [one for one in there if day < anniversary(one.trained_on, months)]
            lapsed = [one for one in there if day >= anniversary(one.trained_on, months)]
            newest_first = [*reversed(_by_day(in_date))]
            for person in [*newest_first, *lapsed][:leavers]:
                _leave(there, person)
            gone = max(0, len(there) - staff)
            order = [*lapsed, *newest_first]
            for person in [one for one in order if any(one is left for left in there)][:gone]:
                _leave(there, person)

    def in_date_on(day: date) -> int:
        number = sum(1 for one in there if day < anniversary(one.trained_on, months))
        return number if headcount is None else min(number, headcount)

    now = in_date_on(on)
    if now == 0:
        status = "lapsed"
    else:
        status = "current" if in_date_on(on + timedelta(days=DUE_DAYS)) else "due"
    last = max((one.trained_on for one in there), default=None)
    until = anniversary(last, months) - timedelta(days=1) if last and now else None
    return Trained(status, now, headcount, until)


def _by_day(people: Iterable[Person]) -> list[Person]:
    return sorted(people, key=lambda one: one.trained_on)


def _leave(there: list[Person], gone: Person) -> None:
    there[:] = [one for one in there if one is not gone]


# --- schemes ---------------------------------------------------------------------------------

KINDS = ("applied", "assessed", "refused", "awarded", "suspended", "reinstated", "withdrawn")


@dataclass(frozen=True)
class Stands:
    """How a venue stands in a scheme."""

    state: str = "none"
    since: datetime | None = None
    until: date | None = None
    grade: str | None = None
    certificate: str | None = None
    pending: str | None = None
    award: Row = None

    @property
    def shown(self) -> tuple[Any, ...]:
        """What an award says."""
        return self.certificate, self.grade, self.until


def stands(decisions: Iterable[Row], at: datetime) -> Stands:
    """How a venue stands at an instant by these decisions, of which each counts."""
    there = Stands()
    for decision in _in_turn(decisions):
        if decision.effective_at > at:
            break
        there = _decided(_run_out(there, decision.effective_at), decision)
    return _run_out(there, at)


def _in_turn(decisions: Iterable[Row]) -> list[Row]:
    return sorted(
        decisions, key=lambda one: (one.effective_at, one.recorded_at, KINDS.index(one.kind))
    )


def _run_out(there: Stands, at: datetime) -> Stands:
    """An award ends by the clock with its last day, suspended or not."""
    if there.state not in ("in_force", "suspended") or there.until is None:
        return there
    over = start_of(there.until + timedelta(days=1))
    return replace(there, state="expired", since=over) if over <= at else there


def _decided(there: Stands, decision: Row) -> Stands:
    kind, at = str(decision.kind), decision.effective_at
    awarded = there.state in ("in_force", "suspended")
    match kind:
        case "applied" if there.pending:
            return there
        case "applied" | "assessed" if awarded:
            return replace(there, pending=kind)
        case "applied" | "assessed":
            return Stands(kind, at, pending=kind)
        case "refused" if not there.pending:
            return there
        case "refused" if awarded:
            return replace(there, pending=None)
        case "awarded" if there.state != "suspended":
            until = decision.until
            if there.state == "in_force" and (there.until is None or until is None):
                until = None
            elif there.state == "in_force":
                until = max(until, there.until)
            made = Stands("in_force", at, until, decision.grade, decision.certificate)
            # A renewal that changes nothing of it is no other award.
            same = there.state == "in_force" and made.shown == there.shown
            return replace(made, award=there.award if same else decision)
        case "suspended" if there.state == "in_force":
            return replace(there, state="suspended", since=at)
        case "reinstated" if there.state == "suspended":
            return replace(there, state="in_force", since=at)
        case "withdrawn" if awarded or there.state in ("applied", "assessed"):
            return Stands(kind, at)
        case "refused":
            return Stands(kind, at)
    return there


# --- what was known of a day -----------------------------------------------------------------


@dataclass
class Events:
    """A history by venue, so that asking of one venue needn't look at all."""

    history: History
    facts: dict[Any, list[Row]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[Any, list[Row]] = field(default_factory=lambda: defaultdict(list))
    attendances: dict[Any, list[Row]] = field(default_factory=lambda: defaultdict(list))
    headcounts: dict[Any, list[Row]] = field(default_factory=lambda: defaultdict(list))
    sessions: dict[Any, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("facts", "decisions", "attendances", "headcounts"):
            by_venue = getattr(self, name)
            for row in getattr(self.history, name):
                by_venue[row.venue_id].append(row)
        self.sessions = {row.id: row for row in self.history.sessions}


@dataclass
class Oracle:
    """What was so at the end of a London day as known at an instant, for the venues chosen.

    If `known_at` lies in that day, what was so at that instant.
    """

    events: Events
    as_at: date
    known_at: datetime
    ward: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    licensed: bool | None = None
    late_night: bool | None = None
    business: frozenset[UUID] = frozenset()

    @cached_property
    def at(self) -> datetime:
        return self.ends(self.as_at)

    def known(self, rows: Iterable[Row]) -> Iterator[Row]:
        """What had been recorded, and not voided, by then."""
        return filter(self._is_known, rows)

    def _is_known(self, row: Row) -> bool:
        was_voided = row.voided_at is not None and row.voided_at <= self.known_at
        return row.recorded_at <= self.known_at and not was_voided

    def ends(self, day: date) -> datetime:
        """The instant at which a day is judged."""
        return self.known_at if day_of(self.known_at) == day else end_of(day)

    def facts(self, venue_id: UUID, at: datetime | None = None) -> Row | None:
        """What a venue is counted by, if anything is known of it yet."""
        held = None
        for row in self.known(self.events.facts[venue_id]):
            if row.effective_at <= (at or self.at) and (
                held is None
                or (row.effective_at, row.recorded_at) > (held.effective_at, held.recorded_at)
            ):
                held = row
        return held

    def fits(self, facts: Row) -> bool:
        """Whether a venue with these facts is chosen, whatever its status."""
        code = self.ward_codes.get(facts.ward_id)
        return (
            (not self.ward or code in self.ward)
            and (not self.category or facts.category in self.category)
            and (self.licensed is None or facts.licensed == self.licensed)
            and (self.late_night is None or facts.late_night == self.late_night)
            and (not self.business or facts.business_id in self.business)
        )

    @cached_property
    def ward_codes(self) -> dict[Any, str]:
        return {ward.id: ward.code for ward in self.events.history.wards}

    @cached_property
    def placed(self) -> dict[Any, Row]:
        """The facts of every venue of which some are known; before its first ones, those."""
        found = {}
        for venue in self.events.history.venues:
            known = list(self.known(self.events.facts[venue.id]))
            if (facts := self.facts(venue.id)) is None and known:
                began = min(row.effective_at for row in known)
                there = [row for row in known if row.effective_at == began]
                facts = max(there, key=lambda row: row.recorded_at)
            if facts is not None:
                found[venue.id] = facts
        return found

    @property
    def is_filtered(self) -> bool:
        return bool(self.business or self._is_filtered_by_venue)

    @property
    def _is_filtered_by_venue(self) -> bool:
        said = (self.licensed, self.late_night) != (None, None)
        return bool(self.ward or self.category or said)

    def concerns(self, venue_id: UUID) -> bool:
        """Whether what was done at a venue counts, whatever its status."""
        facts = self.placed.get(venue_id)
        return not self.is_filtered or (facts is not None and self.fits(facts))

    def concerns_business(self, business_id: UUID) -> bool:
        """Whether what was done with a business as a whole counts."""
        named = business_id in self.business and not self._is_filtered_by_venue
        return not self.is_filtered or business_id in self._run or named

    @cached_property
    def _run(self) -> set[UUID | None]:
        """The businesses that run a venue that is chosen, whatever its status."""
        return {facts.business_id for facts in self.placed.values() if self.fits(facts)}

    def ward_of(self, venue_id: UUID) -> str:
        """The code of the ward in which a venue lies; empty where it lies in none."""
        facts = self.placed.get(venue_id)
        return self.ward_codes.get(facts.ward_id, "") if facts else ""

    def happened(self, rows: Iterable[Row], first: date, last: date) -> list[Row]:
        """What took effect in some London days, the last one included."""
        return [
            row
            for row in self.known(rows)
            if first <= day_of(row.effective_at) <= last and row.effective_at <= self.at
        ]

    @cached_property
    def venues(self) -> dict[UUID, Row]:
        """The facts of the active venues that are chosen."""
        found = {}
        for venue in self.events.history.venues:
            facts = self.facts(venue.id)
            if facts is not None and facts.status == "active" and self.fits(facts):
                found[venue.id] = facts
        return found

    def training(self, venue_id: UUID) -> dict[str, Trained]:
        """How a venue stands in each course."""
        facts = self.placed.get(venue_id)
        months = facts.refresh_months if facts else None
        attended = defaultdict(list)
        for row in self.known(self.events.attendances[venue_id]):
            session = self.events.sessions[row.session_id]
            if self._is_known(session):
                one = day_of(row.effective_at), row.new_count, row.refresher_count
                attended[session.course].append(one)
        declared = [
            (day_of(row.effective_at), row.staff, row.left)
            for row in sorted(
                self.known(self.events.headcounts[venue_id]), key=lambda row: row.recorded_at
            )
        ]
        return {
            course: trained_staff(attended[course], declared, months or USUAL_MONTHS, self.as_at)
            for course in COURSES
        }

    def standing(self, venue_id: UUID, at: datetime | None = None) -> dict[str, Stands]:
        """How a venue stands in each scheme."""
        decisions = list(self.known(self.events.decisions[venue_id]))
        return {
            scheme: stands([one for one in decisions if one.scheme == scheme], at or self.at)
            for scheme in SCHEMES
        }

    # --- scheme tests ------------------------------------------------------------------------

    def scheme_tests(self, first: date, last: date) -> list[dict[str, Any]]:
        """Each test that counts: its ward and venue, and what became of it."""
        history = self.events.history
        debriefed = {row.test_id for row in self.happened(history.debriefs, first, self.as_at)}
        repeated = {row.retest_of_id for row in self.happened(history.tests, first, self.as_at)}
        return [
            {
                "venue": test.venue_id,
                "ward": self.ward_of(test.venue_id),
                "passed": test.result == "passed",
                "debriefed": test.id in debriefed,
                "repeated": test.id in repeated,
                "closed": (facts := self.placed.get(test.venue_id)) is not None
                and facts.status == "closed",
                "late": day_of(test.effective_at) + timedelta(days=RETEST_DAYS) < self.as_at,
            }
            for test in self.happened(history.tests, first, last)
            if self.concerns(test.venue_id)
        ]

    # --- what was done -----------------------------------------------------------------------

    def engagements(self, first: date) -> list[dict[str, Any]]:
        """Each engagement that counts."""
        return [
            {
                "kind": str(row.kind),
                "outcome": str(row.outcome),
                "ward": self.ward_of(row.venue_id) if row.venue_id else "whole",
                "with": row.business_id or row.venue_id,
            }
            for row in self.happened(self.events.history.engagements, first, self.as_at)
            if (
                self.concerns(row.venue_id)
                if row.venue_id
                else self.concerns_business(row.business_id)
            )
        ]

    def delivered(self, first: date) -> list[dict[str, Any]]:
        """Each session that counts, once for each venue and role that attended it.

        Where all venues count, once without anybody too.
        """
        history = self.events.history
        sessions = {row.id: row for row in self.happened(history.sessions, first, self.as_at)}
        nobody = {"venue": None, "ward": None, "new": 0, "refresher": 0}
        found = [
            {"session": row.id, "course": row.course, **nobody}
            for row in sessions.values()
            if not self.is_filtered
        ]
        found += [
            {
                "session": row.session_id,
                "course": sessions[row.session_id].course,
                "venue": row.venue_id,
                "ward": self.ward_of(row.venue_id),
                "new": row.new_count,
                "refresher": row.refresher_count,
            }
            for row in self.happened(history.attendances, first, self.as_at)
            if row.session_id in sessions and self.concerns(row.venue_id)
        ]
        return found

    def problems(self, first: date) -> list[dict[str, Any]]:
        """Each problem report that is reported or open in the days from `first` on."""
        history = self.events.history
        steps: dict[UUID, list[Row]] = defaultdict(list)
        for step in self.known(history.report_steps):
            if step.step == "resolved" and step.effective_at <= self.at:
                steps[step.report_id].append(step)
        found = []
        for row in self.known(history.reports):
            if row.effective_at > self.at or not self.concerns(row.venue_id):
                continue
            resolved = min((day_of(step.effective_at) for step in steps[row.id]), default=None)
            reported = day_of(row.effective_at)
            if resolved is None or resolved >= first:
                found.append(
                    {
                        "kind": str(row.kind),
                        "before": reported < first,
                        "days": None if resolved is None else (resolved - reported).days,
                    }
                )
        return found

    # --- coverage ----------------------------------------------------------------------------

    @cached_property
    def _trained(self) -> dict[UUID, dict[str, Trained]]:
        return {venue_id: self.training(venue_id) for venue_id in self.venues}

    @cached_property
    def _stands(self) -> dict[UUID, dict[str, Stands]]:
        return {venue_id: self.standing(venue_id) for venue_id in self.venues}

    def coverage(self, course: str, venues: Iterable[UUID] | None = None) -> dict[str, Any]:
        """What a course comes to at the venues chosen, or some of them."""
        there = [self._trained[id_][course] for id_ in (self.venues if venues is None else venues)]
        declared = [one for one in there if one.headcount is not None]
        trained = sum(one.trained for one in declared)
        staff = sum(one.headcount or 0 for one in declared)
        rags, statuses = [one.rag for one in there], [one.status for one in there]
        return {
            "venues": len(there),
            "with_headcount": len(declared),
            "without_headcount": len(there) - len(declared),
            "nobody": sum(one.headcount == 0 for one in declared),
            "trained": trained,
            "headcount": staff,
            "coverage": trained / staff if staff else None,
            "rag": Trained("", trained, staff, None).rag,
            **{name: rags.count(name) for name in ("green", "amber", "red")},
            "trained_without_headcount": sum(one.trained for one in there) - trained,
            **{name: statuses.count(name) for name in ("current", "due", "lapsed", "never")},
        }

    def in_scheme(self, scheme: str, venues: Iterable[UUID] | None = None) -> dict[str, Any]:
        """How many of the venues chosen, or some of them, stand in a scheme."""
        asked = list(self.venues if venues is None else venues)
        states = [self._stands[venue_id][scheme].state for venue_id in asked]
        in_force = states.count("in_force")
        return {
            "in_force": in_force,
            "venues": len(states),
            "share": in_force / len(states) if states else None,
            **{name: states.count(name) for name in ("suspended", "expired", "withdrawn")},
        }

    def groups(self) -> dict[tuple[str, str], list[UUID]]:
        """The venues chosen by ward, category and late-night; of wards, those without any too."""
        found: dict[tuple[str, str], list[UUID]] = {
            ("ward", code): []
            for code in self.ward_codes.values()
            if code in (self.ward or (code,))
        }
        for venue_id, facts in self.venues.items():
            for key in (
                ("ward", self.ward_codes.get(facts.ward_id, "")),
                ("category", str(facts.category)),
                ("late_night", "yes" if facts.late_night else "no"),
            ):
                found.setdefault(key, []).append(venue_id)
        return found

    def untouched(self, venue_id: UUID, course: str, since: date) -> int:
        """How many would be trained at a venue, had nothing been recorded of days after `since`."""
        facts = self.placed.get(venue_id)
        attended = [
            (day_of(row.effective_at), row.new_count, row.refresher_count)
            for row in self.known(self.events.attendances[venue_id])
            if day_of(row.effective_at) <= since
            and self.events.sessions[row.session_id].course == course
            and self._is_known(self.events.sessions[row.session_id])
        ]
        declared = [
            (day_of(row.effective_at), row.staff, row.left)
            for row in sorted(
                self.known(self.events.headcounts[venue_id]), key=lambda row: row.recorded_at
            )
            if day_of(row.effective_at) <= since
        ]
        months = facts.refresh_months if facts else None
        return trained_staff(attended, declared, months or USUAL_MONTHS, self.as_at).trained

    # --- won and lost ------------------------------------------------------------------------

    def turns(self, scheme: str, first: date) -> dict[str, int]:
        """How many accreditations were in force before a day, and what became of them since.

        Whatever the status of a venue.
        """
        begin, found = start_of(first), Counter[str]()
        for venue in self.events.history.venues:
            decisions = [
                row for row in self.known(self.events.decisions[venue.id]) if row.scheme == scheme
            ]
            if not decisions or not self.concerns(venue.id):
                continue
            instants = {row.effective_at for row in decisions}
            instants |= {start_of(row.until + timedelta(days=1)) for row in decisions if row.until}
            for at in sorted(at for at in instants if begin <= at <= self.at):
                before, after = (
                    stands(decisions, at - timedelta(microseconds=1)),
                    stands(decisions, at),
                )
                was, is_ = before.state == "in_force", after.state == "in_force"
                found["won"] += is_ and not was
                found["lost"] += was and not is_
                found["renewed"] += was and is_ and before.shown != after.shown
            last = stands(decisions, begin - timedelta(microseconds=1))
            found["before"] += last.state == "in_force"
            found["in_force"] += stands(decisions, self.at).state == "in_force"
        return {name: found[name] for name in ("before", "won", "lost", "renewed", "in_force")}

    # --- what is to be done ------------------------------------------------------------------

    def due(self, days: int) -> set[tuple[Any, ...]]:
        """The kind, of what, the venue, the last day, the certificate and the note of all there is
        to do within so many days."""
        return {
            one
            for venue_id in self.venues
            for one in (*self._accreditations(venue_id, days), *self._courses(venue_id, days))
        } | {*self._retests(days)}

    def _is_listed(self, on: date, days: int) -> bool:
        """What lapsed is listed for a year."""
        return on <= self.as_at + timedelta(days=days) and self.as_at < anniversary(on, 12)

    def _accreditations(self, venue_id: UUID, days: int) -> Iterator[tuple[Any, ...]]:
        for scheme, there in self._stands[venue_id].items():
            awarded = there.state in ("in_force", "suspended")
            award = there if awarded else None
            if there.state in ("expired", "applied", "assessed"):
                award = self._lapsed(venue_id, scheme)
            if award and award.until and self._is_listed(award.until, days):
                note = {"applied": "renewal applied for", "assessed": "renewal assessed"}.get(
                    there.pending or "", "suspended" if there.state == "suspended" else None
                )
                of = award.until, award.certificate, note
                yield "accreditation", scheme, venue_id, *of
            if scheme == "womens_night_safety_charter" and there.state == "in_force":
                assert there.since
                review = anniversary(day_of(there.since), 12)
                if review <= self.as_at + timedelta(days=days):
                    yield "review", scheme, venue_id, review, there.certificate, None

    def _lapsed(self, venue_id: UUID, scheme: str) -> Stands | None:
        """The award that ran out, if nobody has decided anything since but to apply anew."""
        decisions = [
            row for row in self.known(self.events.decisions[venue_id]) if row.scheme == scheme
        ]
        found = None
        # How it stood when each decision was about to be taken, and after it, and at last.
        course = [Stands()]
        for at in sorted({row.effective_at for row in decisions if row.effective_at <= self.at}):
            course.append(stands([row for row in decisions if row.effective_at < at], at))
            course.append(stands(decisions, at))
        for there in [*course, stands(decisions, self.at)]:
            if there.state == "expired":
                found = there
            elif there.state not in ("applied", "assessed"):
                found = None
        return found

    def _courses(self, venue_id: UUID, days: int) -> Iterator[tuple[Any, ...]]:
        facts = self.venues[venue_id]
        for course, there in self._trained[venue_id].items():
            if there.until and there.until <= self.as_at + timedelta(days=days):
                yield "training", course, venue_id, there.until, None, None
            if there.status != "lapsed":
                continue
            latest = max(
                day_of(row.effective_at)
                for row in self.known(self.events.attendances[venue_id])
                if self.events.sessions[row.session_id].course == course
                and self._is_known(self.events.sessions[row.session_id])
                and day_of(row.effective_at) <= self.as_at
            )
            over = anniversary(latest, facts.refresh_months or USUAL_MONTHS) - timedelta(days=1)
            if over >= self.as_at:
                yield "training", course, venue_id, None, None, "those trained have left"
            elif self._is_listed(over, days):
                yield "training", course, venue_id, over, None, None

    def _retests(self, days: int) -> Iterator[tuple[Any, ...]]:
        tests = self.happened(self.events.history.tests, date.min, self.as_at)
        repeated = {row.retest_of_id for row in tests}
        for row in tests:
            by = day_of(row.effective_at) + timedelta(days=RETEST_DAYS)
            is_near = by <= self.as_at + timedelta(days=days)
            asks = row.result == "failed" and row.id not in repeated and is_near
            if asks and row.venue_id in self.venues:
                yield "retest", str(row.scheme), row.venue_id, by, None, None

    # --- data quality ------------------------------------------------------------------------

    def quality(self) -> dict[str, tuple[int, set[UUID]]]:
        """Of how many venues each check finds which."""
        there = {
            venue.id: (venue, facts)
            for venue in self.events.history.venues
            if (facts := self.facts(venue.id)) and facts.status != "closed" and self.fits(facts)
        }
        declared = {
            venue_id: max(
                (
                    day_of(row.effective_at)
                    for row in self.known(self.events.headcounts[venue_id])
                    if row.effective_at <= self.at
                ),
                default=None,
            )
            for venue_id in self.venues
        }

        def is_old(day: date | None) -> bool:
            return day is not None and anniversary(day, 12) <= self.as_at

        active = [there[venue_id][0] for venue_id in self.venues]
        known = {venue_id for venue_id, day in declared.items() if day is not None}
        return {
            "headcount_missing": (len(active), {*self.venues} - known),
            "headcount_stale": (len(known), {id_ for id_ in known if is_old(declared[id_])}),
            "not_checked": (
                len(active),
                {
                    venue.id
                    for venue in active
                    if venue.last_checked is None or is_old(venue.last_checked)
                },
            ),
            "hours_unknown": (len(active), {venue.id for venue in active if venue.hours is None}),
            "outside_ward": (
                len(there),
                {
                    venue.id
                    for venue, facts in there.values()
                    if self.ward_codes.get(facts.ward_id) != lies_in(venue)
                },
            ),
            "no_business": (
                len(there),
                {id_ for id_, (_, facts) in there.items() if facts.business_id is None},
            ),
            "no_premises_licence": (
                sum(facts.licensed for _, facts in there.values()),
                {
                    venue.id
                    for venue, facts in there.values()
                    if facts.licensed and not venue.premises_licence
                },
            ),
            "late_night_not_licensed": (
                sum(facts.late_night for _, facts in there.values()),
                {
                    id_
                    for id_, (_, facts) in there.items()
                    if facts.late_night and not facts.licensed
                },
            ),
        }

    # --- the late-night levy -----------------------------------------------------------------

    def levy(self, first: date, last: date) -> dict[UUID, "Levied"]:
        """The venues that pay the levy on some day from one to another, and what they hold."""
        levied = {
            venue.id: self._levied(venue.id, first, last) for venue in self.events.history.venues
        }
        return {venue_id: there for venue_id, there in levied.items() if there.pays}

    def _levied(self, venue_id: UUID, first: date, last: date) -> "Levied":
        there = Levied()
        facts = [*self.known(self.events.facts[venue_id])]
        if not any(self._pays(row) for row in facts):
            return there
        decisions = [
            row
            for row in self.known(self.events.decisions[venue_id])
            if row.scheme == "safety_thirst"
        ]
        # Until the next day on which something changes every day is as the one before.
        changes = {day_of(row.effective_at) for row in [*facts, *decisions]}
        changes |= {row.until + timedelta(days=1) for row in decisions if row.until}
        cuts = sorted({first, last, *(day for day in changes if day <= last)})
        for start, following in pairwise([*cuts, last + timedelta(days=1)]):
            days = [*map(date.fromordinal, range(start.toordinal(), following.toordinal()))]
            held = self.facts(venue_id, self.ends(start))
            if held is not None and self._pays(held):
                there.pays |= {day for day in days if day >= first}
            there.stands[start] = stands(decisions, self.ends(start))
            if there.stands[start].state == "in_force":
                there.holds |= dict.fromkeys(days, there.stands[start])
        return there

    def _pays(self, facts: Row) -> bool:
        is_late = facts.licensed and facts.late_night
        return is_late and facts.status == "active" and self.fits(facts)


@dataclass
class Levied:
    """On which days a venue pays the levy, and on which it holds Safety Thirst, and how.

    `stands` has the days on which something changes.
    """

    pays: set[date] = field(default_factory=set)
    holds: dict[date, Stands] = field(default_factory=dict)
    stands: dict[date, Stands] = field(default_factory=dict)

    def has_discount(self, day: date) -> bool:
        return day in self.pays and day in self.holds

    @property
    def periods(self) -> list[tuple[Any, ...]]:
        """The days in a row on which it pays and one award is in force, and what that says."""
        found: list[tuple[Any, ...]] = []
        last, award = None, None
        for day in sorted(self.pays & self.holds.keys()):
            there = self.holds[day]
            goes_on = last == day - timedelta(days=1) and there.award is award
            found.append((found.pop()[0] if goes_on else day, day, *_of_award(there)))
            last, award = day, there.award
        return found

    def miss(self, on: date, near_days: int) -> tuple[Any, ...] | None:
        """Why it just misses on a day, how many days off it is, and what the nearest award says."""
        if self.has_discount(on):
            return None
        off: list[tuple[int, str]] = []
        award = self.holds.get(on)
        if award is None:
            near = self._nearest(on)
            if near is None:
                return None
            days, reason, award = near
            off.append((days, reason))
        if on not in self.pays:
            off.append((min(abs((day - on).days) for day in self.pays), "not_late_night"))
        days_off = max(days for days, _ in off)
        return (off[0][1], days_off, *_of_award(award)) if days_off <= near_days else None

    def _nearest(self, on: date) -> tuple[int, str, Stands | None] | None:
        before = max((day for day in self.holds if day < on), default=None)
        after = min((day for day in self.holds if day > on), default=None)
        if self.stands[on].state == "suspended":
            return 0, "suspended", self.holds[before] if before else None
        found = []
        if before:
            there = self.holds[before]
            gone = self.stands[on].state == "withdrawn" or there.until is None or there.until >= on
            found.append(((on - before).days, "withdrawn" if gone else "expired", there))
        if after:
            found.append(((after - on).days, "not_yet", self.holds[after]))
        return min(found, key=lambda one: one[0], default=None)


def _of_award(there: Stands | None) -> tuple[Any, ...]:
    """Its certificate, grade, first and last day."""
    if there is None or there.award is None:
        return (None, None, None, None)
    return there.certificate, there.grade, day_of(there.award.effective_at), there.until


def lies_in(venue: Row) -> str:
    """The code of the ward, one of five by five squares, in which a venue's coordinates lie."""
    north = int((venue.location.lat - SOUTH) / STEP)
    east = int((venue.location.lon - WEST) / STEP)
    return f"W{5 * north + east:02}"
