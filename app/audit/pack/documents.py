"""A pack to read on a screen and to print: one layout, which a page and a PDF follow alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import orjson
import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic.fields import FieldInfo

from app.audit.frame.figures import SIGNED, Mark, marks
from app.audit.frame.report import PERCENT, Row, Table, tables
from app.audit.pack import drawings
from app.audit.pack.charts import Chart
from app.audit.pack.pack import QuarterlyPack
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
class Column:
    title: str
    is_number: bool


@dataclass(frozen=True)
class Figure:
    """A table, with a chart of it where there is one."""

    title: str
    note: str
    columns: list[Column]
    rows: list[list[Cell]]
    chart: Chart | None


@dataclass(frozen=True)
class Chapter:
    title: str
    about: str
    figures: list[Figure]


@dataclass(frozen=True)
class Headline:
    """A number to begin with, and what it is of."""

    value: str
    title: str
    note: str


@dataclass(frozen=True)
class Layout:
    """A whole document, all of it text."""

    title: str
    subtitle: str
    notice: str
    line: str
    headlines: list[Headline]
    chapters: list[Chapter]
    provenance: list[tuple[str, str]]


@dataclass(frozen=True)
class _Plan:
    """A chapter, the tables in it, and how its figures are made."""

    title: str
    tables: tuple[str, ...]
    about: str


_PLAN = (
    _Plan(
        "Activity",
        (
            "activity",
            "engagement_kinds",
            "engagement_outcomes",
            "training_courses",
            "activity_wards",
        ),
        "A business counts once however often it was engaged, and a venue of no known business as "
        "one. Who was trained twice counts twice. A session counts in each ward that somebody "
        "attended it from. Venues lie where they lay at the end of the quarter.",
    ),
    _Plan(
        "Coverage",
        ("coverage_courses", "coverage_quarters", "coverage_venues", "coverage_wards"),
        "Staff whose training is in date as a part of the staff declared, at active venues that "
        "declared any; venues without a headcount are counted apart. Training decays: who left "
        "counts against it, and after its validity it has lapsed.",
    ),
    _Plan(
        "Accreditation",
        ("schemes", "scheme_turns", "venues_won", "venues_lost"),
        "What was in force before the quarter, and what was won in it, less what was lost, is in "
        "force at its end, whatever became of the venue. Won: awarded, awarded again after a gap, "
        "or reinstated. Lost: suspended, expired, or withdrawn. A renewal without a gap is "
        "neither.",
    ),
    _Plan(
        "Scheme tests",
        ("tests", "tests_wards"),
        "Unannounced visits of the quarter in which an officer asked for Angela. They are told by "
        "ward, and never for a single venue. A failed test asks for a retest; what had come of it "
        "counts up to the day of this report.",
    ),
    _Plan(
        "Problem reports",
        ("problem_reports",),
        "What members of the public told us about havens. Reports open at the start and those "
        "made in the quarter are either resolved in it or still open. Days are counted from the "
        "report to the officer's word that it is resolved; nine in ten took the 90th percentile "
        "or less (nearest rank).",
    ),
    _Plan(
        "Data quality",
        ("quality", "quality_as_issued"),
        "How many venues each check found, of those that it looked at.",
    ),
)


def as_html(pack: QuarterlyPack) -> bytes:
    """A page that needs nothing but itself."""
    page = _PAGE.get_template("pack.html")
    return page.render(doc=_laid_out(pack), drawn=_drawn).encode()


def _drawn(chart: Chart) -> Markup:
    # Made by us, with every text in it escaped.
    return Markup(chart.svg)  # noqa: S704


def as_pdf(pack: QuarterlyPack) -> bytes:
    """A tagged PDF, to the rules of PDF/UA-1; the same pack makes the same file."""
    # As strings in JSON, so that nothing anybody wrote can become markup.
    data = {"data": orjson.dumps(_laid_out(pack)).decode()}
    made_at = int((pack.about.issued_at or pack.about.known_at).timestamp())

    def compiled(*standards: Literal["ua-1"], ignore_system_fonts: bool) -> bytes:
        return typst.compile(
            _TEMPLATES / "pack.typ",
            sys_inputs=data,
            timestamp=made_at,
            pdf_standards=list(standards),
            ignore_system_fonts=ignore_system_fonts,
        )

    try:
        # No font of this machine, so that the file is the same wherever it is made.
        return compiled("ua-1", ignore_system_fonts=True)
    except typst.TypstError:
        # PDF/UA wants a glyph for everything, and no font has those of all scripts. What is lost
        # here is the promise alone: it is tagged as before.
        return compiled(ignore_system_fonts=False)


# --- a pack as texts --------------------------------------------------------------------------


def _laid_out(pack: QuarterlyPack) -> Layout:
    about = pack.about
    found = {table.name: table for table in tables(pack)}
    standing = f"So far, up to {_day(about.as_at)}" if about.so_far else f"To {_day(about.as_at)}"
    return Layout(
        title=about.title,
        subtitle=f"{standing}, by what was known on {_instant(about.known_at)}",
        notice=about.notice or "",
        line=f"{about.quarter} · figures {about.figures_hash[:12]}",
        headlines=[Headline(*headline) for headline in drawings.headlines(pack)],
        chapters=[
            Chapter(plan.title, plan.about, [_figure(pack, found[name]) for name in plan.tables])
            for plan in _PLAN
        ],
        provenance=_provenance(pack),
    )


def _figure(pack: QuarterlyPack, table: Table) -> Figure:
    field = type(pack).model_fields[table.name]
    (row_type,) = get_args(field.annotation)
    columns, rows = _CROSSED.get(table.name, _listed)(row_type, table.rows)
    draw = drawings.CHARTS.get(table.name)
    return Figure(
        title=table.title,
        note=field.description or "",
        columns=columns,
        rows=rows,
        chart=draw(pack) if draw and rows else None,
    )


_Cells = tuple[list[Column], list[list[Cell]]]


def _listed(row_type: type[Row], found: Sequence[Any]) -> _Cells:
    shown = {
        name: column
        for name, column in row_type.model_fields.items()
        if not {Mark.KEY, Mark.ASIDE}.intersection(marks(column))
    }
    columns = [Column(column.title or name, _is_number(column)) for name, column in shown.items()]
    return columns, [
        [_cell(name, column, getattr(row, name)) for name, column in shown.items()] for row in found
    ]


def _crossed(key: str, down: str, across: str) -> Callable[[type[Row], Sequence[Any]], _Cells]:
    """Coverage with what belongs together in one row, `across` side by side."""

    def crossed(row_type: type[Row], found: Sequence[Any]) -> _Cells:
        names = list(dict.fromkeys(getattr(row, across) for row in found))
        rows: dict[str, dict[str, Cell]] = {}
        for row in found:
            cells = rows.setdefault(getattr(row, key), {"": Cell(getattr(row, down))})
            cells[getattr(row, across)] = _coverage(row)
        first = row_type.model_fields[down].title or down
        columns = [Column(name, is_number=False) for name in (first, *names)]
        return columns, [
            [cells.get(name, Cell(_NOTHING)) for name in ("", *names)] for cells in rows.values()
        ]

    return crossed


def _coverage(row: Any) -> Cell:
    if row.coverage is None:
        return Cell(_NOTHING)
    of = f"{row.trained:,} of {row.headcount:,}"
    return Cell(f"{row.coverage:.1%} {row.rag}", of, str(row.rag))


_CROSSED = {
    "coverage_quarters": _crossed("course", "name", "quarter"),
    "coverage_wards": _crossed("ward_id", "ward", "name"),
}


def _is_number(column: FieldInfo) -> bool:
    return bool({int, float}.intersection(_kinds(column.annotation)))


def _kinds(annotation: Any) -> set[Any]:
    return {annotation}.union(*map(_kinds, get_args(annotation)))


def _cell(name: str, column: FieldInfo, value: Any) -> Cell:
    if name == "rag" and value is not None:
        return Cell(str(value), rag=str(value))
    is_percent = any(part is PERCENT for part in column.metadata)
    is_signed = any(part is SIGNED for part in column.metadata)
    return Cell(_text(value, is_percent=is_percent, is_signed=is_signed))


def _text(value: Any, *, is_percent: bool = False, is_signed: bool = False) -> str:
    match value:
        case None:
            return _NOTHING
        case float() if is_percent and is_signed:
            return _with_sign(f"{100 * value:+.1f}")
        case float() if is_percent:
            return f"{value:.1%}"
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


def _provenance(pack: QuarterlyPack) -> list[tuple[str, str]]:
    about = pack.about
    limits = about.limits
    issued = (
        [
            ("Issued", f"{_instant(about.issued_at)}, by {about.issued_by}"),
            ("Pack", str(about.pack_id)),
        ]
        if about.issued_at
        else [("Issued", "not issued: a preview, of which nothing is kept")]
    )
    return [
        *issued,
        ("As at", f"the end of {_day(about.as_at)}"),
        ("Known at", f"{about.known_at.isoformat()} (what had been recorded by then)"),
        ("Venues", "; ".join(about.filters) or "all"),
        (
            "Thresholds",
            (
                f"green from {limits.rag_green}% of staff trained, amber from {limits.rag_amber}%; "
                f"training is due {limits.due_days} days before it lapses; a failed test is to be "
                f"repeated within {limits.retest_days} days"
            ),
        ),
        ("Sources", "; ".join(about.sources)),
        ("Journal", f"up to entry {about.journal_entry:,} ({about.journal_hash or 'none'})"),
        ("Figures", f"SHA-256 {about.figures_hash}"),
        (
            "Having it again",
            (
                "By what was known at that instant the same figures come out, whatever was "
                "recorded since. Names are as they were when this was made, and are no part of the "
                "hash; nor are the figures that are said to stand as they stood then."
            ),
        ),
    ]
