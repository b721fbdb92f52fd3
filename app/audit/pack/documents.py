"""A pack to read on a screen and to print: one layout, which a page and a PDF follow alike."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.audit.frame.report import Column, Mark, Table, tables
from app.audit.pack.charts import CHARTS, Headline, headlines
from app.audit.pack.pack import QuarterlyPack
from app.audit.pack.svg import Chart
from app.core.london import LONDON, london_day

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: show it, and nothing else."""

_TEMPLATES = Path(__file__).parent / "templates"
_PAGE = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """A value as people read it. `rag` is there for those who see colours too."""

    text: str
    more: str = ""
    rag: str = ""


@dataclass(frozen=True)
class Heading:
    """What stands above a column."""

    title: str
    is_number: bool


@dataclass(frozen=True)
class Figure:
    """A table, with a chart of it where there is one."""

    title: str
    note: str
    columns: list[Heading]
    rows: list[list[Cell]]
    chart: Chart | None


@dataclass(frozen=True)
class Section:
    title: str
    about: str
    figures: list[Figure]


@dataclass(frozen=True)
class Layout:
    """A whole document, all of it text."""

    title: str
    subtitle: str
    notice: str
    line: str
    headlines: list[Headline]
    sections: list[Section]
    provenance: dict[str, str]


_SECTIONS = {
    "Activity": (
        *("activity", "engagement_kinds", "engagement_outcomes"),
        *("training_courses", "activity_wards"),
    ),
    "Coverage": ("coverage_courses", "coverage_quarters", "coverage_venues", "coverage_wards"),
    "Accreditation": ("schemes", "scheme_turns", "venues_won", "venues_lost"),
    "Scheme tests": ("tests", "tests_wards"),
    "Problem reports": ("problem_reports",),
    "The public's survey": ("survey",),
    "By night": ("night", "night_wards", "night_sources"),
    "Data quality": ("quality", "quality_as_issued"),
}
"""The tables in each section."""

_HOW_MADE = {
    "Activity": (
        "A business counts once however often it was engaged, and a venue of no known business as "
        "one. Who was trained twice counts twice. A session counts in each ward that somebody "
        "attended it from. Venues lie where they lay at the end of the quarter."
    ),
    "Coverage": (
        "Staff whose training is in date as a part of the staff declared, at active venues that "
        "declared any; venues without a headcount are counted apart. Training decays: who left "
        "counts against it, and after its validity it has lapsed."
    ),
    "Accreditation": (
        "What was in force before the quarter, and what was won in it, less what was lost, is in "
        "force at its end, whatever became of the venue. Won: awarded, awarded again after a gap, "
        "or reinstated. Lost: suspended, expired, or withdrawn. A renewal without a gap is "
        "neither."
    ),
    "Scheme tests": (
        "Unannounced visits of the quarter in which an officer asked for Angela. They are told by "
        "ward, and never for a single venue. A failed test asks for a retest; what had come of it "
        "counts up to the day of this report."
    ),
    "Problem reports": (
        "What members of the public told us about havens. Reports open at the start and those "
        "made in the quarter are either resolved in it or still open. Days are counted from the "
        "report to the officer's word that it is resolved; nine in ten took the 90th percentile "
        "or less (nearest rank)."
    ),
    "The public's survey": (
        "Two questions, from a code in the venue or after a problem report: did you feel safer, "
        "and were you helped? Whoever likes answers, so this is no sample. Nothing is kept of an "
        "answer but that it was given, about which ward and in which quarter."
    ),
    "By night": (
        "Of need, of licensed premises and, where the streets are known, of their length: how much "
        "has a haven near on foot that is open all through the hour, in an ordinary week about the "
        "last day. A night belongs to the day on which it begins. Need is what its sources count, "
        "by place and hour; the quarter before is by the same need."
    ),
    "Data quality": "How many venues each check found, of those that it looked at.",
}
"""How the figures of each are made."""


def as_html(pack: QuarterlyPack) -> bytes:
    """A page that needs nothing but itself."""
    # The charts are made by us, with every text in them escaped.
    page = _PAGE.get_template("pack.html")
    return page.render(doc=_layout(pack), drawn=lambda chart: Markup(chart.svg)).encode()  # noqa: S704


def as_pdf(pack: QuarterlyPack) -> bytes:
    """A tagged PDF, to the rules of PDF/UA-1; the same pack makes the same file."""
    made_at = int((pack.about.issued_at or pack.about.known_at).timestamp())
    # Brings a typesetter, of 7 MB.
    from app.core.typesetting import typeset  # noqa: PLC0415

    return typeset(_TEMPLATES / "pack.typ", orjson.dumps(_layout(pack)).decode(), made_at)


# --- a pack as texts --------------------------------------------------------------------------


def _layout(pack: QuarterlyPack) -> Layout:
    about = pack.about
    by_name = {table.name: table for table in tables(pack)}
    until = f"So far, up to {_day(about.as_at)}" if about.so_far else f"To {_day(about.as_at)}"
    return Layout(
        title=about.title,
        subtitle=f"{until}, by what was known on {_instant(about.known_at)}",
        notice=about.notice or "",
        line=f"{about.quarter} · figures {about.figures_hash[:12]}",
        headlines=list(headlines(pack)),
        sections=[
            Section(title, _HOW_MADE[title], [_figure(pack, by_name[name]) for name in names])
            for title, names in _SECTIONS.items()
        ],
        provenance=_provenance(pack),
    )


def _figure(pack: QuarterlyPack, table: Table) -> Figure:
    crossing = _CROSSED.get(table.name)
    headings, cells = _crossed(table, *crossing) if crossing else _listed(table)
    return Figure(
        title=table.title,
        note=type(pack).model_fields[table.name].description or "",
        columns=headings,
        rows=cells,
        chart=CHARTS[table.name](pack) if cells and table.name in CHARTS else None,
    )


_Cells = tuple[list[Heading], list[list[Cell]]]


def _listed(table: Table) -> _Cells:
    columns = [column for column in table.columns if not column.marks & {Mark.KEY, Mark.ASIDE}]
    headings = [Heading(column.title, column.is_number) for column in columns]
    return headings, [
        [_cell(column, getattr(row, column.name)) for column in columns] for row in table.rows
    ]


_CROSSED = {
    "coverage_quarters": ("course", "name", "quarter"),
    "coverage_wards": ("ward_id", "ward", "name"),
}


def _crossed(table: Table, key: str, down: str, across: str) -> _Cells:
    """Coverage with what belongs together in one row, `across` side by side."""
    names = list(dict.fromkeys(getattr(row, across) for row in table.rows))
    rows: dict[str, dict[str, Cell]] = {}
    for row in table.rows:
        cells = rows.setdefault(getattr(row, key), {"": Cell(getattr(row, down))})
        cells[getattr(row, across)] = _coverage(row)
    first = next(column.title for column in table.columns if column.name == down)
    return [Heading(title, is_number=False) for title in (first, *names)], [
        [cells.get(name, Cell(_NOTHING)) for name in ("", *names)] for cells in rows.values()
    ]


def _coverage(row: Any) -> Cell:
    if row.coverage is None:
        return Cell(_NOTHING)
    of = f"{row.trained:,} of {row.headcount:,}"
    return Cell(f"{row.coverage:.1%} {row.rag}", of, str(row.rag))


def _cell(column: Column, value: Any) -> Cell:
    is_rag = column.name == "rag" and value is not None
    return Cell(_text(value, column.marks), rag=str(value) if is_rag else "")


def _text(value: Any, marks: set[Mark]) -> str:
    is_signed = Mark.SIGNED in marks
    match value:
        case None:
            return _NOTHING
        case float() if Mark.PERCENT in marks:
            return _with_sign(f"{100 * value:+.1f}") if is_signed else f"{value:.1%}"
        case int() | float() if is_signed:
            return _with_sign(f"{value:+,}")
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case date():
            return _day(value)
        case _:
            return str(value)


def _with_sign(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}") if text.strip("+-0.") else text.lstrip("+-")


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _instant(at: datetime) -> str:
    return f"{_day(london_day(at))} at {at.astimezone(LONDON):%H:%M:%S}"


def _provenance(pack: QuarterlyPack) -> dict[str, str]:
    about, limits = pack.about, pack.about.limits
    issued = {"Issued": "not issued: a preview, of which nothing is kept"}
    if about.issued_at:
        issuer = f"{_instant(about.issued_at)}, by {about.issued_by}"
        issued = {"Issued": issuer, "Pack": str(about.pack_id)}
    return issued | {
        "As at": f"the end of {_day(about.as_at)}",
        "Known at": f"{about.known_at.isoformat()} (what had been recorded by then)",
        "Venues": "; ".join(about.filters) or "all",
        "Thresholds": (
            f"green from {limits.rag_green}% of staff trained, amber from {limits.rag_amber}%; "
            f"training is due {limits.due_days} days before it lapses; a failed test is to be "
            f"repeated within {limits.retest_days} days"
        ),
        "Sources": "; ".join(about.sources),
        "Journal": f"up to entry {about.journal_entry:,} ({about.journal_hash or 'none'})",
        "Figures": f"SHA-256 {about.figures_hash}",
        "Having it again": (
            "By what was known at that instant the same figures come out, whatever was recorded "
            "since. Names are as they were when this was made, and are no part of the hash; nor "
            "are the figures that are said to stand as they stood then."
        ),
    }
