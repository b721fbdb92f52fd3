"""Decisions as a sheet; an assessment's findings are lists of criteria."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, get_args

import sqlalchemy as sa
from sqlmodel import col, select

from app.core.errors import wrong
from app.core.events import in_effect
from app.schemes.actions import decide, void_decision
from app.schemes.models import Decision
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import Kind
from app.schemes.schemas import Step
from app.sheets.csv_file import day
from app.sheets.sheet import Book, Column, Row, Sheet, Values, key, number, prose

_STEPS: dict[Kind, type[Any]] = {one.model_fields["kind"].default: one for one in get_args(Step)}
_RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(Kind)}
_PLAIN = ("scheme", "kind", "on", "until", "grade", "reason", "override_reason")


# --- findings --------------------------------------------------------------------------------


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]


def _scores(cell: str) -> dict[str, str]:
    scores = {}
    for word in _words(cell):
        criterion, equals, score = (part.strip() for part in word.partition("="))
        if not equals or criterion in scores:
            raise ValueError("must be like drink_spiking=80;public_safety=65")
        scores[criterion] = score
    return scores


def _notes(cell: str) -> dict[str, str]:
    """Notes by criterion, each from a line of its own; a line that begins with a space goes on."""
    notes: dict[str, str] = {}
    criterion = ""
    for one in prose(cell).split("\n"):
        if one[:1] == " " and criterion:
            notes[criterion] += f"\n{one[1:]}"
        elif (found := re.fullmatch("([a-z0-9_]+): ?(.*)", one)) and found[1] not in notes:
            criterion = found[1]
            notes[criterion] = found[2]
        else:
            raise ValueError("must have lines like seat: two by the door")
    return notes


def _listed(words: list[str] | None) -> str:
    return ";".join(sorted(words or ()))


def _scored(scores: dict[str, Any] | None) -> str:
    return _listed([f"{criterion}={score}" for criterion, score in (scores or {}).items()])


def _noted(notes: dict[str, str] | None) -> str:
    lines = (f"{criterion}: {note}" for criterion, note in sorted((notes or {}).items()))
    return "\n".join(one.replace("\n", "\n ") for one in lines)


def _findings(values: Values) -> Iterator[dict[str, Any]]:
    named = [*values.get("met", ()), *values.get("not_met", ())]
    for column in ("scores", "notes"):
        for criterion in values.get(column, ()):
            if criterion not in named:
                raise wrong(column, f"speaks of {criterion}, which is not in met or not_met")
    for place, criterion in enumerate(named):
        finding = {"criterion": criterion, "met": place < len(values.get("met", ()))}
        for column, part in (("scores", "score"), ("notes", "note")):
            if criterion in values.get(column, ()):
                finding[part] = values[column][criterion]
        yield finding


# --- the sheet -------------------------------------------------------------------------------


def _values(book: Book, event: Decision) -> Values:
    findings = event.findings or []
    return {
        **{name: getattr(event, name) for name in _PLAIN},
        "venue": book.venues[event.venue_id].reference,
        "season": book.seasons[event.season_id][1] if event.season_id else None,
        "met": [f["criterion"] for f in findings if f["met"]],
        "not_met": [f["criterion"] for f in findings if not f["met"]],
        "scores": {f["criterion"]: f["score"] for f in findings if "score" in f},
        "notes": {f["criterion"]: f["note"] for f in findings if f.get("note")},
    }


def _record(book: Book, values: Values) -> Decision:
    if values["kind"] not in _STEPS:
        raise wrong("kind", f"must be one of {', '.join(Kind)}")
    step = _STEPS[values["kind"]]
    given = {name: values[name] for name in _PLAIN if name in values}
    if "season" in values:
        named = (values.get("scheme"), values["season"])
        ids = [id_ for id_, season in book.seasons.items() if season == named]
        if not ids:
            raise wrong("season", "is not the year of a season of this scheme")
        given["season_id"] = ids[0]
    if findings := list(_findings(values)):
        given["findings"] = findings
    for name in given:
        if name not in step.model_fields:
            raise wrong(name, f"must be empty where kind is {values['kind']}")
    return decide(book.session, book.venue(values), step(**given))


def _prepare(book: Book, rows: Sequence[Row]) -> None:
    """Take back awards that came with the venues, to be recorded after what led to them.

    Recorded before, an award would stand in the way of an older suspension, and an assessment of
    its own day would seem to be one that nothing has come of.
    """
    history = defaultdict(list)
    listing = select(Decision).where(Decision.scheme == LISTS_PUBLICLY, in_effect(Decision))
    for decision in book.session.exec(listing):
        history[book.venues[decision.venue_id].reference].append(decision)
    ours = [row for row in rows if row.values["scheme"] == LISTS_PUBLICLY]
    begun: dict[str, date] = {}
    for row in ours:
        if not row.event and row.values["kind"] in (Kind.ASSESSED, Kind.AWARDED):
            begun.setdefault(row.values["venue"], row.values["on"])
    for row in ours:
        there = history[row.values["venue"]]
        # Whoever decides on an award gives it a certificate.
        if len(there) != 1 or there[0].kind != Kind.AWARDED or there[0].certificate:
            continue
        (award,) = there
        if (row.values["kind"], row.values["on"]) != (Kind.AWARDED, award.on):
            continue
        if begun.get(row.values["venue"], date.max) <= award.on:
            void_decision(book.session, award, "Recorded anew, after what led to it")
            there.clear()
            row.event = None


DECISIONS = Sheet(
    model=Decision,
    columns=(
        Column("on", day, required=True),
        Column("venue", key, required=True),
        Column("scheme", required=True),
        Column("kind", required=True),
        Column("until", day, filled_in=True),
        Column("season", number),
        Column("grade"),
        Column("met", _words, _listed),
        Column("not_met", _words, _listed),
        Column("scores", _scores, _scored),
        Column("notes", _notes, _noted),
        Column("reason", prose),
        Column("override_reason", prose),
    ),
    stored=sa.select(Decision).order_by(
        col(Decision.effective_at), col(Decision.recorded_at), col(Decision.id)
    ),
    values=_values,
    record=_record,
    prepare=_prepare,
    order=lambda values: (values["on"], _RANK.get(values["kind"], 0)),
    columns_of={"findings": "met"},
)
