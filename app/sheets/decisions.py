"""Decisions as a sheet; an assessment's findings are lists of criteria."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, get_args

from app.core.batch import Batch
from app.core.errors import wrong
from app.core.events import void
from app.core.journal import now
from app.core.text import key, prose
from app.schemes.actions import new_decision
from app.schemes.history import settle_many
from app.schemes.models import Decision, Season
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import Kind, in_order
from app.schemes.schemas import Step
from app.sheets.events import EventSheet
from app.sheets.lookup import Lookup
from app.sheets.rows import Column, DayColumn, NumberColumn, Row, Values
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.models import Venue, VenueFacts

_STEPS: dict[Kind, type[Any]] = {step.model_fields["kind"].default: step for step in get_args(Step)}
_RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(Kind)}


# --- findings --------------------------------------------------------------------------------


def _read_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _write_list(parts: Iterable[str]) -> str:
    return ";".join(sorted(parts))


def _read_scores(text: str) -> dict[str, str]:
    scores: dict[str, str] = {}
    for part in _read_list(text):
        criterion, equals, score = (word.strip() for word in part.partition("="))
        if not equals or criterion in scores:
            raise ValueError("must be like drink_spiking=80;public_safety=65")
        scores[criterion] = score
    return scores


def _write_scores(scores: Mapping[str, Any]) -> str:
    return _write_list(f"{criterion}={score}" for criterion, score in scores.items())


def _read_notes(text: str) -> dict[str, str]:
    """Notes by criterion, each from a line of its own; a line that begins with a space goes on."""
    notes: dict[str, str] = {}
    criterion = ""
    for line in prose(text).split("\n"):
        if line[:1] == " " and criterion:
            notes[criterion] += f"\n{line[1:]}"
        elif (parts := re.fullmatch("([a-z0-9_]+): ?(.*)", line)) and parts[1] not in notes:
            criterion = parts[1]
            notes[criterion] = parts[2]
        else:
            raise ValueError("must have lines like seat: two by the door")
    return notes


def _write_notes(notes: Mapping[str, str]) -> str:
    lines = (f"{criterion}: {note}" for criterion, note in sorted(notes.items()))
    return "\n".join(line.replace("\n", "\n ") for line in lines)


def _findings(values: Values) -> list[dict[str, Any]]:
    """The findings of an assessment, criterion by criterion. Raises `Invalid`."""
    met, not_met = values.get("met", ()), values.get("not_met", ())
    findings = [
        *({"criterion": criterion, "met": True} for criterion in met),
        *({"criterion": criterion, "met": False} for criterion in not_met),
    ]
    for column, part in (("scores", "score"), ("notes", "note")):
        given = values.get(column, {})
        for criterion in given:
            if criterion not in (*met, *not_met):
                raise wrong(column, f"speaks of {criterion}, which is not in met or not_met")
        for finding in findings:
            if finding["criterion"] in given:
                finding[part] = given[finding["criterion"]]
    return findings


# --- the sheet -------------------------------------------------------------------------------


def _describe(lookup: Lookup, event: Decision) -> Values:
    findings = event.findings or []
    return {
        "season": lookup.seasons[event.season_id].year if event.season_id else None,
        "met": [finding["criterion"] for finding in findings if finding["met"]],
        "not_met": [finding["criterion"] for finding in findings if not finding["met"]],
        "scores": {f["criterion"]: f["score"] for f in findings if "score" in f},
        "notes": {f["criterion"]: f["note"] for f in findings if f.get("note")},
    }


def _record(lookup: Lookup, values: Values) -> Decision:
    if values["kind"] not in _STEPS:
        raise wrong("kind", f"must be one of {', '.join(Kind)}")
    step = _STEPS[values["kind"]]
    own = ("scheme", "kind", "on", "until", "grade", "reason", "override_reason")
    given = {name: values[name] for name in own if name in values}
    if "season" in values:
        named = (values["scheme"], values["season"])
        seasons = lookup.seasons.values()
        ids = (season.id for season in seasons if (season.scheme, season.year) == named)
        given["season_id"] = next(ids, None)
        if given["season_id"] is None:
            raise wrong("season", "is not the year of a season of this scheme")
    if findings := _findings(values):
        given["findings"] = findings
    for name in given:
        if name not in step.model_fields:
            raise wrong(name, f"must be empty where kind is {values['kind']}")
    venue = lookup.venues[lookup.venue_id(values)]
    asked = step(**given)
    history = lookup.decisions[venue.id, asked.scheme]
    made = new_decision(
        lookup.session, venue, asked, history, lookup.trained, lookup.newest_certificate
    )
    history.append(made)
    lookup.unsettled[venue.id, asked.scheme] = made.recorded_at
    lookup.fresh.append(made)
    return made


def _finish(lookup: Lookup, batch: Batch) -> None:
    """Bring the lookup table up to date."""
    settle_many(batch, ((lookup.decisions[key], at) for key, at in lookup.unsettled.items()))


def _prepare(lookup: Lookup, batch: Batch, rows: Sequence[Row]) -> None:
    """Take back awards that came with the venues, to be recorded after what led to them.

    Recorded before, an award would stand in the way of an older suspension, and an assessment of
    its own day would seem to be one that nothing has come of.
    """
    # Whoever decides on an award gives it a certificate.
    imported = {
        (lookup.venues[award.venue_id].reference, award.on): award
        for (_, scheme), history in lookup.decisions.items()
        if scheme == LISTS_PUBLICLY and len(held := in_order(history)) == 1
        for award in held
        if award.kind == Kind.AWARDED and not award.certificate
    }
    ours = [row for row in rows if row.values["scheme"] == LISTS_PUBLICLY]
    begun: dict[str, date] = {}
    for row in ours:
        if not row.record and row.values["kind"] in (Kind.ASSESSED, Kind.AWARDED):
            begun.setdefault(row.values["venue"], row.values["on"])
    for row in ours:
        venue, on = row.values["venue"], row.values["on"]
        if row.values["kind"] != Kind.AWARDED or begun.get(venue, date.max) > on:
            continue
        if award := imported.pop((venue, on), None):
            void(lookup.session, award, "Recorded anew, after what led to it")
            batch.edit(award)
            lookup.unsettled[award.venue_id, award.scheme] = now(lookup.session)
            row.record = None


DECISIONS = EventSheet(
    model=Decision,
    columns={
        "on": DayColumn(required=True),
        "venue": Column(key, required=True),
        "scheme": Column(required=True),
        "kind": Column(required=True),
        "until": DayColumn(filled_in=True),
        "season": NumberColumn(),
        "grade": Column(),
        "met": Column(_read_list, _write_list),
        "not_met": Column(_read_list, _write_list),
        "scores": Column(_read_scores, _write_scores),
        "notes": Column(_read_notes, _write_notes),
        "reason": Column(prose),
        "override_reason": Column(prose),
    },
    describe=_describe,
    record=_record,
    prepare=_prepare,
    order=lambda values: (values["on"], _RANK.get(values["kind"], 0)),
    columns_of={"findings": "met"},
    finish=_finish,
    rests_on=(Venue, VenueFacts, Season, Decision, TrainingSession, Attendance, Headcount),
)
