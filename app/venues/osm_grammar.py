"""OpenStreetMap `opening_hours` text, read into the rules that it is made of.

Syntax: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, NoReturn, TypeAlias

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError
from lark.tree import Meta

from app.venues.hours import DAY, SAME_TIME, WEEKDAYS, Dates, Times, merged_times, times
from app.venues.osm_rules import LONGEST, MONTHS, HoursRefused, Rule, valid


def read_rules(text: str) -> list[Rule]:
    """The rules of a text; raises HoursRefused for a part that can't be understood, or can't be."""
    _refuse_at_sight(text)
    try:
        return _Reader(text).transform(_PARSER.parse(text))
    except UnexpectedInput as error:
        _refuse_syntax(text, error)
    except VisitError as error:
        raise error.orig_exc from None


# --- words -----------------------------------------------------------------------------------

_PARSER = Lark(
    r"""
    start: group (";" group)* ";"?
    group: rule (_ADD rule)*
    rule: ALWAYS                    -> always
        | [dates] [days] times      -> open
        | [dates] [days] times _OFF -> cut
        | [dates] [days] _OFF       -> off
    dates: range ("," range)* ":"?
    range: point ("-" point)?
    point: YEAR? MONTH NUMBER? | NUMBER
    days: day ("," day)*
    day: WEEKDAY ("-" WEEKDAY)? | HOLIDAY
    times: span ("," span)*
    span: TIME "-" TIME

    ALWAYS.1: "24/7"
    _OFF: /(off|closed)(?![A-Za-z])/
    HOLIDAY: /PH(?![A-Za-z])/
    WEEKDAY: /(Mo|Tu|We|Th|Fr|Sa|Su)(?![A-Za-z])/
    MONTH: /(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?![A-Za-z])/
    YEAR: /[0-9]{4}(?![0-9:])/
    NUMBER: /[0-9]{1,2}(?![0-9]|:[0-9])/
    TIME: /[0-9]{1,2}:[0-9]{2}(?![0-9])/
    // After times, a comma before anything but a time begins a rule that adds to the others.
    _ADD.1: /,(?= *([A-Za-z]|[0-9]{4}[^0-9:]|24\/7))/
    %ignore / +/
    """,
    parser="lalr",
    propagate_positions=True,
    maybe_placeholders=True,
)

_WEEKDAYS = "Write weekdays as Mo, Tu, We, Th, Fr, Sa and Su."
_NOT_READ = {
    r'"[^"]*"?': "Leave comments out.",
    r"[0-9]{1,2}:[0-9]{2} *\+": "Write the closing time in place of +, as in 11:00-23:00.",
    r"\(?\b(sunrise|sunset|dawn|dusk)\b[^ ;,]*": "Write the time of day, as in 18:00.",
    r"\bweek\b[^;:A-Z]*": "Write dates, as in 2027 Jun 07-2027 Jun 13.",
    r"\bSH\b": "Write the dates of the school holidays, as in 2027 Jul 26-2027 Aug 31.",
    r"\beaster\b": "Write the dates for each year, as in 2027 Mar 28.",
    r"\b(Mo|Tu|We|Th|Fr|Sa|Su|PH) *\[[^];]*\]?": "Write the dates, as in 2027 Jun 07.",
    r"\|\|": "Write ; between rules, and leave out what is a guess.",
    r"\bunknown\b": "Leave out times that are not known.",
    r"(?i)\b(mon|tues?|wed|thu(rs?)?|fri|sat|sun)([a-z]*day)?s?\b": _WEEKDAYS,
    r"(?i)[0-9]{1,2}([:.][0-9]{2})? *[ap]\.?m\b": "Write times as in 09:00 or 17:30.",
}
"""The reason by pattern, for what is refused at sight."""

_WITHOUT_MINUTES = "Write times with their minutes, as in 10:00-12:00."
_NO_TIMES = "Say when it opens and closes, as in 09:00-17:00, or write off."
_NOT_UNDERSTOOD = "This is not understood here: write, for example, Mo-Fr 09:00-17:00; PH off."


def _refuse_at_sight(text: str) -> None:
    if strange := re.search(r"[^ -~]", text):
        part = strange[0] if strange[0].isprintable() else ""
        raise HoursRefused(part, "Write plain letters, digits and hyphens on one line.")
    if not text:
        raise HoursRefused("", "Write the hours, or off if it never opens.")
    if len(text) > LONGEST:
        raise HoursRefused(text[:40], f"Write at most {LONGEST:,} characters.")
    for pattern, reason in _NOT_READ.items():
        if match := re.search(pattern, text):
            raise HoursRefused(match[0].strip(), reason)


def _refuse_syntax(text: str, error: UnexpectedInput) -> NoReturn:
    """Refuse the word at which reading failed, or the whole rule where that ended too soon."""
    position = error.pos_in_stream
    if position is None or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        position = len(text)
    begun = text.rfind(";", 0, position) + 1
    if text[position : position + 1] in ("", ";"):
        part, reason = text[begun:position].strip() or ";", _NO_TIMES
    else:
        part, reason = _word_at(text, position), _NOT_UNDERSTOOD
    if re.fullmatch(r"[0-9]{1,2}(-[0-9]{1,2})?", part):
        reason = _WITHOUT_MINUTES
    if part == "24/7":
        reason = "24/7 stands by itself: with days write 00:00-24:00."
    raise HoursRefused(part, reason)


def _word_at(text: str, position: int) -> str:
    words = (word for word in re.finditer(r"[^ ;,]+|[;,]", text) if word.end() > position)
    return next(words)[0]


# --- one rule --------------------------------------------------------------------------------


class _Range(NamedTuple):
    """Two points of a range of dates as written, each by the type of its tokens."""

    part: str
    first: Mapping[str, str]
    last: Mapping[str, str] | None


class _Span(NamedTuple):
    """Minutes since the day began."""

    part: str
    start: int
    end: int


_Dates: TypeAlias = list[_Range] | None
_Days: TypeAlias = frozenset[str] | None
_Spans: TypeAlias = tuple[_Span, ...]


@v_args(meta=True, inline=True)
class _Reader(Transformer[Token, list[Rule]]):
    """Turns the tree of a text into its rules."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _part(self, meta: Meta) -> str:
        return self._text[meta.start_pos : meta.end_pos]

    def start(self, _: Meta, *groups: list[Rule]) -> list[Rule]:
        return [rule for group in groups for rule in group]

    def group(self, _: Meta, first: Rule, *others: Rule) -> list[Rule]:
        return [first, *(replace(other, adds=True) for other in others)]

    def always(self, meta: Meta, _: Token) -> Rule:
        return self.open(meta, None, None, (_Span(self._part(meta), 0, DAY),))

    def off(self, meta: Meta, dates: _Dates, days: _Days) -> Rule:
        return self.open(meta, dates, days, ())

    def cut(self, meta: Meta, dates: _Dates, days: _Days, spans: _Spans) -> Rule:
        cuts = tuple(sorted((span.start, span.end) for span in spans))
        return replace(self.open(meta, dates, days, ()), cuts=cuts)

    def open(self, meta: Meta, dates: _Dates, days: _Days, spans: _Spans) -> Rule:
        return Rule(
            part=self._part(meta),
            dates=tuple(_resolved(dates or ())),
            whole_months=any("NUMBER" not in r.first and "MONTH" in r.first for r in dates or ()),
            weekdays=frozenset(day for day in WEEKDAYS if days is None or day in days),
            every_day=days is None,
            bank_holidays="PH" in (days or ()),
            times=merged_times(_opened(span) for span in spans),
        )

    def dates(self, _: Meta, *ranges: _Range) -> list[_Range]:
        return list(ranges)

    def range(
        self, meta: Meta, first: Mapping[str, str], last: Mapping[str, str] | None = None
    ) -> _Range:
        return _Range(self._part(meta), first, last)

    def point(self, _: Meta, *tokens: Token) -> Mapping[str, str]:
        return {token.type: token.value for token in tokens}

    def days(self, _: Meta, *several: frozenset[str]) -> frozenset[str]:
        return frozenset().union(*several)

    def day(self, meta: Meta, first: Token, last: Token | None = None) -> frozenset[str]:
        if last is None:
            return frozenset([first.value])
        if last == first:
            raise HoursRefused(self._part(meta), "Write the day once, or Mo-Su for all of them.")
        start, end = WEEKDAYS.index(first.value), WEEKDAYS.index(last.value)
        return frozenset(WEEKDAYS[n % 7] for n in range(start, start + (end - start) % 7 + 1))

    def times(self, _: Meta, *spans: _Span) -> _Spans:
        return spans

    def span(self, meta: Meta, opens: Token, closes: Token) -> _Span:
        """A closing past 24:00 is on the next day, and so is one not after the opening."""
        part, start, end = self._part(meta), _minutes(opens), _minutes(closes)
        if opens[-2:] > "59" or closes[-2:] > "59" or end > 2 * DAY:
            raise HoursRefused(part, "There is no such time of day.")
        if start >= DAY:
            raise HoursRefused(part, "Write an opening from 00:00 to 23:59.")
        if end == start:
            raise HoursRefused(part, f"It {SAME_TIME}.")
        if end < start:
            end += DAY
        if end - start > DAY:
            raise HoursRefused(part, "Write at most 24 hours from opening to closing.")
        return _Span(part, start, end)


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _opened(span: _Span) -> Times:
    if span.end - span.start == DAY and span.start:
        raise HoursRefused(span.part, "Write less than 24 hours, or 00:00-24:00 for the whole day.")
    return times(span.start, span.end)


def _resolved(ranges: Sequence[_Range]) -> Iterator[Dates]:
    """Dates in full, from ranges that may leave out a month or year written just before."""
    before: Mapping[str, str] = {}
    for part, begin, end in ranges:
        first = begin
        if "MONTH" not in first:
            if "NUMBER" not in before:
                raise HoursRefused(part, _WITHOUT_MINUTES)
            first = {**before, **first}
        elif "YEAR" in before and "YEAR" not in first:
            raise HoursRefused(part, "Write the year with each of the dates.")
        last = end or first
        if ("NUMBER" in last) != ("NUMBER" in first):
            raise HoursRefused(part, "Write the day of the month at both ends, or at neither.")
        if "MONTH" not in last:
            last = {**first, **last}
            if int(last["NUMBER"]) < int(first["NUMBER"]):
                raise HoursRefused(part, "Write the month at both ends, the first date first.")
        if ("YEAR" in last) != ("YEAR" in first):
            raise HoursRefused(part, "Write the year at both ends, or at neither.")
        if not all(point.get("YEAR", "2000").startswith("20") for point in (first, last)):
            raise HoursRefused(part, "Write a year from 2000 to 2099.")
        ends = {"first": _iso(first, last=False), "last": _iso(last, last=True)}
        yield valid(part, partial(Dates, **ends))
        before = last


def _iso(point: Mapping[str, str], *, last: bool) -> str:
    month, year = MONTHS.index(point["MONTH"]) + 1, point.get("YEAR")
    day = monthrange(int(year or 2000), month)[1] if last else 1
    return f"{year + '-' if year else ''}{month:02}-{int(point.get('NUMBER', day)):02}"
