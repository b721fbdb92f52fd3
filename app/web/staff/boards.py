"""What a report's page shows: its tables as people read them, and pictures of some before them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from markupsafe import Markup

from app.accounts.guards import AUDITORS
from app.audit.frame.names import words
from app.audit.frame.report import Column, Mark, Report, Table, tables
from app.audit.pack.charts import CHARTS, headlines
from app.audit.pack.pack import QuarterlyPack
from app.audit.pack.svg import Chart, Line, lines
from app.audit.reports.coverage import By, Coverage, InScheme
from app.audit.reports.ground import DAYS
from app.audit.reports.night import Night
from app.audit.reports.plan import Plan
from app.audit.reports.trend import Trend
from app.audit.reports.venue_rows import Identity
from app.web.staff.shown import NOTHING, Part, day, light_of, moment, with_days, wording
from app.web.staff.visits import Visitor
from app.web.staff.ward_map import SHADES, WardMap, night_map, shade_of, ward_map

_WORD = re.compile("[a-z]+(_[a-z]+)+")

_NO_NEED = "No need has been imported (an operator does that, with “havens import need”), so"

MOST_ROWS = 100
"""How many rows of a table a page shows; its file has all."""

CODES = {"group", "code", "ward_code", "of", "when"}
"""Columns that say for programs what the next one says for people."""


DETAILS = {"detail", "details"}
"""Columns that the service writes in sentences."""


@dataclass(frozen=True)
class Shown:
    """A table of a report on its page. `left_off` rows more are in its file."""

    name: str
    title: str
    part: Part
    note: str = ""
    left_off: int = 0
    chart: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class Bar:
    """A part of a whole, as a bar: `percent` is None where there is nothing to be a part of."""

    title: str
    percent: int | None
    light: str
    words: str
    of: str


@dataclass(frozen=True)
class HeatCell:
    """An hour of a night: `is_worst` where most need is far from any open door."""

    percent: int | None
    is_worst: bool

    @property
    def shade(self) -> int:
        return shade_of(self.percent)


@dataclass(frozen=True)
class Heat:
    """Hours down, nights across, each with its percent."""

    title: str
    note: str
    nights: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]
    shades: Sequence[str] = tuple(SHADES)


@dataclass(frozen=True)
class Board:
    """What a report's page shows, in this order; `details` are tables that open at a click."""

    remark: str = ""
    figures: Sequence[tuple[str, str, str, str]] = ()
    """What it is, the number, its light, and what it is out of."""
    bars: Sequence[tuple[str, Sequence[Bar]]] = ()
    goals: tuple[int, int] | None = None
    """From how many percent on it is green, and amber."""
    heat: Heat | None = None
    map: WardMap | None = None
    tables: Sequence[Shown] = ()
    details: Sequence[Shown] = ()


async def board(request: Request, visitor: Visitor, report: Report) -> Board:
    """What is shown of a report."""
    moment_ = {
        "as_at": report.about.as_at.isoformat(),
        "known_at": report.about.known_at.isoformat(),
    }
    if not AUDITORS.roles.intersection(visitor.account.roles):
        moment_ = {}
    if isinstance(report, Trend):
        return _of_trend(request, report)
    some = [table for table in tables(report) if table.rows]
    if isinstance(report, Coverage):
        # What is by group is shown side by side, and every figure of it is in the file.
        details = [_shown(table, moment_) for table in some if not table.name.endswith("_by")]
        return _of_coverage(report, details, await ward_map(request, visitor, report))
    all_of_it = [_shown(table, moment_) for table in some]
    match report:
        case Night():
            return await _of_night(visitor, report, all_of_it)
        case Plan():
            return _of_plan(report, all_of_it)
        case QuarterlyPack():
            return Board(
                figures=[(one.title, one.value, "", one.note) for one in headlines(report)],
                tables=[_with_chart(_of_pack(one, report), report) for one in all_of_it],
            )
    return Board(tables=all_of_it)


def percent(share: float | None) -> str:
    """A share as people read it."""
    return NOTHING if share is None else f"{share:.0%}".replace("%", "\N{NO-BREAK SPACE}%")


# --- any table -------------------------------------------------------------------------------


def _shown(table: Table, moment_: Mapping[str, str]) -> Shown:
    columns = [column for column in table.columns if _is_for_people(column, table)]
    names = {column.name for column in columns}
    named = next((one for one in ("venue", "name", "reference") if one in names), "")
    return Shown(
        table.name,
        table.title,
        Part(
            columns=[column.title for column in columns],
            rows=[
                [
                    _cell(
                        column,
                        getattr(row, column.name),
                        _venue(row, moment_) if column.name == named else "",
                    )
                    for column in columns
                ]
                for row in table.rows[:MOST_ROWS]
            ],
        ),
        left_off=max(0, len(table.rows) - MOST_ROWS),
    )


def _is_for_people(column: Column, table: Table) -> bool:
    if column.marks & {Mark.KEY, Mark.ASIDE} or column.name in CODES:
        return False
    if column.name == "id" or column.name.endswith("_id") or column.name == "sources":
        return False
    return any(getattr(row, column.name) not in (None, "", []) for row in table.rows)


def _venue(row: Any, moment_: Mapping[str, str]) -> str:
    """The sheet of the venue that a row is about, as at the same day, for who may read it; from
    there, and for others, its page."""
    id_ = getattr(row, "venue_id", None)
    if not id_:
        return ""
    if isinstance(row, Identity) or not moment_:
        return f"/console/venues/{id_}"
    return f"/audit/venues/{id_}?{urlencode(moment_)}"


def _cell(column: Column, value: Any, href: str = "") -> Part:
    is_number = column.is_number
    match value:
        case None | "" | []:
            return Part(NOTHING, is_number=is_number)
        case bool():
            return Part("Yes" if value else "No")
        case float() if Mark.SIGNED in column.marks or column.name == "change":
            return Part(_signed(f"{100 * value:+.1f}"), is_number=True)
        case float() if Mark.PERCENT in column.marks:
            return Part(percent(value), is_number=True)
        case int() if Mark.SIGNED in column.marks or column.name == "change":
            return Part(_signed(f"{value:+,}"), is_number=True)
        case int():
            return Part(f"{value:,}", is_number=True)
        case float():
            return Part(f"{value:,.1f}", is_number=True)
        case datetime():
            return Part(moment(value))
        case date():
            return Part(day(value).replace(" ", "\N{NO-BREAK SPACE}"))
        case Enum():
            return Part(wording(str(value)), light=light_of(str(value)))
        case list():
            return Part(", ".join(str(one) for one in value if not isinstance(one, UUID)))
    # A word of the contract, such as a grade.
    text = wording(value) if isinstance(value, str) and _WORD.fullmatch(value) else str(value)
    # What is typed stays as it is.
    return Part(with_days(text) if column.name in DETAILS else text, href=href)


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}") if text.strip("+-0.") else "0"


def _drawn(chart: Chart) -> Markup:
    # Charts are made by us, with every text in them escaped.
    return Markup(chart.svg)  # noqa: S704


def _of_pack(one: Shown, pack: QuarterlyPack) -> Shown:
    """A table of a pack; what its paper has side by side is so here."""
    match one.name:
        case "coverage_quarters":
            return _crossed(
                one.name,
                one.title,
                "Course",
                pack.coverage_quarters,
                lambda row: Part(row.name),
                lambda row: str(row.quarter),
                _covered,
            )
        case "coverage_wards":
            return _crossed(
                one.name,
                one.title,
                "Ward",
                pack.coverage_wards,
                lambda row: Part(row.ward),
                lambda row: str(row.name),
                _covered,
            )
    return one


def _with_chart(one: Shown, pack: QuarterlyPack) -> Shown:
    note = type(pack).model_fields[one.name].description or ""
    chart = _drawn(CHARTS[one.name](pack)) if one.name in CHARTS else Markup()
    return Shown(one.name, one.title, one.part, note, one.left_off, chart)


def _crossed(
    name: str,
    title: str,
    corner: str,
    rows: Iterable[Any],
    down: Callable[[Any], Part],
    across: Callable[[Any], str],
    cell: Callable[[Any], Part],
    chart: Markup | None = None,
) -> Shown:
    """Rows of a report with what belongs together in one line, `across` side by side."""
    kept = list(rows)
    heads = list(dict.fromkeys(map(across, kept)))
    firsts: dict[str, Part] = {}
    cells: dict[str, dict[str, Part]] = {}
    for row in kept:
        first = down(row)
        firsts.setdefault(first.text, first)
        cells.setdefault(first.text, {})[across(row)] = cell(row)
    part = Part(
        columns=[corner, *heads],
        rows=[
            [firsts[key], *(some.get(head, Part(NOTHING)) for head in heads)]
            for key, some in cells.items()
        ],
    )
    return Shown(name, title, part, chart=chart or Markup())


# --- coverage --------------------------------------------------------------------------------


def _covered(row: Any) -> Part:
    """How a course is covered: the share with its light, and of how many that is."""
    if row.coverage is None:
        return Part(NOTHING)
    return Part(
        f"{percent(row.coverage)} {row.rag}, {row.trained:,} of {row.headcount:,}",
        light=light_of(row.rag or ""),
    )


def _in_force(row: InScheme) -> Part:
    return Part(f"{row.in_force:,} of {row.venues:,}")


def _of_coverage(report: Coverage, details: Sequence[Shown], wards: WardMap | None) -> Board:
    courses = [
        Bar(
            wording(row.course),
            None if row.coverage is None else round(100 * row.coverage),
            light_of(row.rag or ""),
            wording(row.rag) if row.rag else "No headcount",
            f"{row.trained:,} of {row.headcount:,} staff",
        )
        for row in report.courses
    ]
    in_schemes = [
        Bar(
            wording(row.scheme),
            None if row.share is None else round(100 * row.share),
            "open",
            "",
            f"{row.in_force:,} of {row.venues:,} venues in force",
        )
        for row in report.schemes
    ]
    missing = next((row.without_headcount for row in report.courses), 0)
    venues = next((row.venues for row in report.courses), 0)
    figures = [
        (
            f"of staff hold {one.title} in date",
            NOTHING if one.percent is None else f"{one.percent}\N{NO-BREAK SPACE}%",
            one.light,
            one.of,
        )
        for one in courses[:2]
    ]
    figures += [
        (f"{wording(row.scheme)}s in force", f"{row.in_force:,}", "", f"of {row.venues:,} venues")
        for row in report.schemes[:1]
    ]
    figures.append(
        (
            "venues without a headcount",
            f"{missing:,}",
            "",
            f"of {venues:,}; not counted in any percentage",
        )
    )
    limits = report.about.limits
    return Board(
        figures=figures,
        bars=[("By course", courses), ("In force, by scheme", in_schemes)],
        goals=(limits.rag_green, limits.rag_amber),
        map=wards,
        tables=list(_by_group(report, By.WARD)),
        details=[
            *_by_group(report, By.CATEGORY),
            *_by_group(report, By.LATE_NIGHT),
            *details,
        ],
    )


def _by_group(report: Coverage, by: By) -> Iterator[Shown]:
    title = words(by)
    if courses := [row for row in report.courses_by if row.by is by]:
        yield _crossed(
            "courses_by",
            f"By {title.lower()}: staff trained",
            title,
            courses,
            lambda row: Part(row.name),
            lambda row: wording(row.course),
            _covered,
        )
    if in_schemes := [row for row in report.schemes_by if row.by is by]:
        yield _crossed(
            "schemes_by",
            f"By {title.lower()}: venues in force",
            title,
            in_schemes,
            lambda row: Part(row.name),
            lambda row: wording(row.scheme),
            _in_force,
        )


# --- the trend -------------------------------------------------------------------------------


def _of_trend(request: Request, report: Trend) -> Board:
    kept = [
        (key, text)
        for key, text in request.query_params.multi_items()
        if key not in ("from", "until", "done") and text
    ]
    days = list(dict.fromkeys(row.day for row in report.courses))
    courses = list(dict.fromkeys(row.course for row in report.courses))
    of_course = {(row.course, row.day): row.coverage for row in report.courses}
    drawn = [
        Line(wording(course), [of_course[course, day_] for day_ in days]) for course in courses
    ]
    places = [f"{day_:%b %y}" for day_ in days]

    def turn(row: Any) -> Part:
        if row.coverage is None:
            return Part(NOTHING, is_number=True)
        asked = [*kept, ("month", f"{row.day:%Y-%m}"), ("course", str(row.course))]
        text = percent(row.coverage)
        if row.change:
            text += f" ({_signed(f'{100 * row.change:+.1f}')})"
        return Part(text, href=f"/audit/trend/turn?{urlencode(asked)}", is_number=True)

    training = _crossed(
        "courses",
        "Training, month by month",
        "Month",
        sorted(report.courses, key=attrgetter("day"), reverse=True),
        lambda row: Part(f"{row.day:%B %Y}"),
        lambda row: wording(row.course),
        turn,
        _drawn(lines("Trained staff in date, of the headcount", places, drawn)),
    )
    schemes = _crossed(
        "schemes",
        "Venues in force, month by month",
        "Month",
        sorted(report.schemes, key=attrgetter("day"), reverse=True),
        lambda row: Part(f"{row.day:%B %Y}"),
        lambda row: wording(row.scheme),
        lambda row: Part(f"{row.in_force:,}", is_number=True),
    )
    return Board(tables=[training, schemes])


# --- where the next havens should be ---------------------------------------------------------


def _of_plan(report: Plan, all_of_it: Sequence[Shown]) -> Board:
    total, shown = report.total[0], len(report.places)
    of_that = f"{percent(total.out_of_reach_by_night)} of that from 23:00 to 07:00"
    figures = [
        ("of need is met today", percent(total.met), "", f"by {total.havens:,} havens"),
        (
            f"with {shown} more {'place' if shown == 1 else 'places'}",
            percent(total.planned),
            "",
            f"the best of {total.candidates:,} addresses; hours of {total.assumed:,} are assumed",
        ),
        (
            "no known place can meet: a help point or later closing would",
            percent(total.out_of_reach),
            "",
            of_that if total.out_of_reach else "at any hour",
        ),
    ]
    main = ("places", "steps")
    return Board(
        remark="" if report.need else f"{_NO_NEED} there is nothing that a place could meet.",
        figures=figures if report.need else (),
        tables=[one for one in all_of_it if one.name in main],
        details=[one for one in all_of_it if one.name not in main],
    )


# --- coverage by night -----------------------------------------------------------------------

_HOURS = [f"{hour % 24:02}:00" for hour in range(18, 30)]
"""Those that a page shows; the file has all."""

_WORST = 2


async def _of_night(visitor: Visitor, report: Night, all_of_it: Sequence[Shown]) -> Board:
    if not report.need:
        by_hour_of = ("hours", "ward_hours")
        return Board(
            remark=f"{_NO_NEED} this tells of licensed premises and of streets alone.",
            tables=[one for one in all_of_it if one.name not in by_hour_of],
            details=[one for one in all_of_it if one.name in by_hour_of],
        )
    by_hour = {(row.hour, row.night): row for row in report.hours}
    shown = [by_hour[hour, night] for hour in _HOURS for night in DAYS]
    unmet = {id(row): (row.need or 0) * (1 - (row.five or 0)) for row in shown}
    worst = sorted(shown, key=lambda row: -unmet[id(row)])[:_WORST]
    darkest = min(shown, key=lambda row: (row.five is None, row.five))
    totals = {(row.of, row.hours): row for row in report.totals}
    figures = [
        (
            f"of need was within five minutes: {row.period.lower()}",
            percent(row.five),
            "",
            f"{percent(row.before)} a quarter before, by the same need",
        )
        for row in (totals["need", "nights"], totals["need", "late"])
    ]
    figures += [
        (
            f"{darkest.night} night, {darkest.hour}: the darkest hour",
            percent(darkest.five),
            "",
            f"{darkest.havens:,} {'haven is' if darkest.havens == 1 else 'havens are'} open then",
        ),
        (
            "of licensed premises, by night, had one within five minutes",
            percent(totals["licensed", "nights"].five),
            "",
            f"{percent(totals['licensed', 'nights'].ten)} within ten",
        ),
    ]
    outlined = " and ".join(f"{row.night} night {row.hour}" for row in worst)
    heat = Heat(
        "Percent of need within five minutes",
        f"Outlined, {outlined}: most need that is far from an open door. The night belongs to the"
        " day on which it begins.",
        DAYS,
        [
            (
                hour,
                [
                    HeatCell(None if row.five is None else round(100 * row.five), row in worst)
                    for row in (by_hour[hour, night] for night in DAYS)
                ],
            )
            for hour in _HOURS
        ],
    )
    shares = {row.code: row.five for row in report.wards if (row.of, row.hours) == _BY_WARD}
    by_ward = _crossed(
        "wards",
        "By ward: need within five minutes, and within ten",
        "Ward",
        [row for row in report.wards if row.of == "need"],
        lambda row: Part(row.ward),
        lambda row: str(row.period),
        lambda row: Part(f"{percent(row.five)}, {percent(row.ten)}"),
    )
    return Board(
        figures=figures,
        heat=heat,
        map=await night_map(visitor, "Need within five minutes by night", shares),
        tables=[*(one for one in all_of_it if one.name == "totals"), by_ward],
        details=[one for one in all_of_it if one.name != "totals"],
    )


_BY_WARD = ("need", "nights")
