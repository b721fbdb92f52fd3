"""OpenStreetMap `opening_hours` text, read into `Hours` and written from them.

A text is a list of rules in which the later override the earlier; `Hours` have a fixed order of
precedence. What can't be said in it exactly is refused, never guessed.

Syntax: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from itertools import groupby, takewhile
from typing import Literal, NoReturn, TypeVar

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError
from lark.tree import Meta
from pydantic import ValidationError

from app.venues.hours import (
    DAY,
    WEEKDAYS,
    Closure,
    DatedException,
    Dates,
    Hours,
    Season,
    Times,
    Weekday,
    times,
    times_by_weekday,
    united,
    weekly_periods,
)

LONGEST = 1000
"""How many characters a text may have."""

MOST_CLOSURES = 366
"""How many timed closures one rule may stand for."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ALL_DAY = times(0, DAY)


class HoursRefused(ValueError):
    """A text that does not become hours: `part` of it, word for word, and the `reason`."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}" if part else reason)
        self.part = part
        self.reason = reason


def parse(text: str) -> Hours:
    """The hours that a text means; raises HoursRefused where `Hours` can't say exactly that."""
    text = text.strip()
    _refuse_at_sight(text)
    try:
        rules = _Reader(text).transform(_PARSER.parse(text))
    except UnexpectedInput as error:
        _refuse_syntax(text, error)
    except VisitError as error:
        raise error.orig_exc from None
    return _valid(text[:40], partial(_hours, rules))


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
_NOT_READ = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r'"[^"]*"?', "Leave comments out."),
        (r"[0-9]{1,2}:[0-9]{2} *\+", "Write the closing time in place of +, as in 11:00-23:00."),
        (r"\(?\b(sunrise|sunset|dawn|dusk)\b[^ ;,]*", "Write the time of day, as in 18:00."),
        (r"\bweek\b[^;:A-Z]*", "Write dates, as in 2027 Jun 07-2027 Jun 13."),
        (r"\bSH\b", "Write the dates of the school holidays, as in 2027 Jul 26-2027 Aug 31."),
        (r"\beaster\b", "Write the dates for each year, as in 2027 Mar 28."),
        (r"\b(Mo|Tu|We|Th|Fr|Sa|Su|PH) *\[[^];]*\]?", "Write the dates, as in 2027 Jun 07."),
        (r"\|\|", "Write ; between rules, and leave out what is a guess."),
        (r"\bunknown\b", "Leave out times that are not known."),
        (r"(?i)\b(mon|tues?|wed|thu(rs?)?|fri|sat|sun)([a-z]*day)?s?\b", _WEEKDAYS),
        (r"(?i)[0-9]{1,2}([:.][0-9]{2})? *[ap]\.?m\b", "Write times as in 09:00 or 17:30."),
    )
)
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
    for pattern, reason in _NOT_READ:
        if found := pattern.search(text):
            raise HoursRefused(found[0].strip(), reason)


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


_T = TypeVar("_T")


def _valid(part: str, make: Callable[[], _T]) -> _T:
    """What `make` makes; what the hours refuse is put down to that part of the text."""
    try:
        return make()
    except ValidationError as error:
        message = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise HoursRefused(part, f"{message[0].upper()}{message[1:]}.") from None


# --- one rule --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """What one rule says, each part checked by itself; `cut`: closed for just these times."""

    part: str
    dates: tuple[Dates, ...]
    whole_months: bool
    weekdays: frozenset[Weekday]
    every_day: bool
    bank_holidays: bool
    times: tuple[Times, ...]
    cut: bool = False
    adds: bool = False


@dataclass(frozen=True)
class _Range:
    """Two points of a range of dates as written, each by the type of its tokens."""

    part: str
    first: Mapping[str, str]
    last: Mapping[str, str] | None


@v_args(meta=True, inline=True)
class _Reader(Transformer[Token, list[_Rule]]):
    """Turns the tree of a text into its rules."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _part(self, meta: Meta) -> str:
        return self._text[meta.start_pos : meta.end_pos]

    def start(self, _: Meta, *groups: list[_Rule]) -> list[_Rule]:
        return [rule for group in groups for rule in group]

    def group(self, _: Meta, first: _Rule, *others: _Rule) -> list[_Rule]:
        return [first, *(replace(other, adds=True) for other in others)]

    def always(self, meta: Meta, _: Token) -> _Rule:
        return self.open(meta, None, None, (ALL_DAY,))

    def off(self, meta: Meta, dates: list[_Range] | None, days: frozenset[str] | None) -> _Rule:
        return self.open(meta, dates, days, ())

    def cut(
        self,
        meta: Meta,
        dates: list[_Range] | None,
        days: frozenset[str] | None,
        spans: tuple[Times, ...],
    ) -> _Rule:
        return replace(self.open(meta, dates, days, spans), cut=True)

    def open(
        self,
        meta: Meta,
        dates: list[_Range] | None,
        days: frozenset[str] | None,
        spans: tuple[Times, ...],
    ) -> _Rule:
        return _Rule(
            part=self._part(meta),
            dates=tuple(_resolved(dates or ())),
            whole_months=any("NUMBER" not in r.first and "MONTH" in r.first for r in dates or ()),
            weekdays=frozenset(day for day in WEEKDAYS if days is None or day in days),
            every_day=days is None,
            bank_holidays="PH" in (days or ()),
            times=united(spans),
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

    def times(self, _: Meta, *spans: Times) -> tuple[Times, ...]:
        return spans

    def span(self, meta: Meta, opens: Token, closes: Token) -> Times:
        """A closing past 24:00 is on the next day, and so is one not after the opening."""
        (start_hour, start), (end_hour, end) = (
            (int(hour), int(minute))
            for hour, minute in (token.split(":") for token in (opens, closes))
        )
        start, end = start + start_hour * 60, end + end_hour * 60
        if opens[-2:] > "59" or closes[-2:] > "59" or end > 2 * DAY:
            raise HoursRefused(self._part(meta), "There is no such time of day.")
        if start >= DAY:
            raise HoursRefused(self._part(meta), "Write an opening from 00:00 to 23:59.")
        if end <= start:
            end += DAY
        if end - start > DAY:
            raise HoursRefused(self._part(meta), "Write at most 24 hours from opening to closing.")
        return times(start, end)


def _resolved(ranges: Sequence[_Range]) -> Iterator[Dates]:
    """Dates in full, from ranges that may leave out a month or year written just before."""
    before: Mapping[str, str] = {}
    for one in ranges:
        first = one.first
        if "MONTH" not in first:
            if "NUMBER" not in before:
                raise HoursRefused(one.part, _WITHOUT_MINUTES)
            first = {**before, **first}
        elif "YEAR" in before and "YEAR" not in first:
            raise HoursRefused(one.part, "Write the year with each of the dates.")
        last = first if one.last is None else one.last
        if ("NUMBER" in last) != ("NUMBER" in first):
            raise HoursRefused(one.part, "Write the day of the month at both ends, or at neither.")
        if "MONTH" not in last:
            last = {**first, **last}
            if int(last["NUMBER"]) < int(first["NUMBER"]):
                raise HoursRefused(one.part, "Write the month at both ends, the first date first.")
        if ("YEAR" in last) != ("YEAR" in first):
            raise HoursRefused(one.part, "Write the year at both ends, or at neither.")
        if not all(end.get("YEAR", "2000").startswith("20") for end in (first, last)):
            raise HoursRefused(one.part, "Write a year from 2000 to 2099.")
        start, end = _iso(first, first=True), _iso(last, first=False)
        yield _valid(one.part, partial(Dates, first=start, last=end))
        before = last


def _iso(point: Mapping[str, str], *, first: bool) -> str:
    month = MONTHS.index(point["MONTH"]) + 1
    year = point.get("YEAR")
    day = 1 if first else monthrange(int(year or 2000), month)[1]
    return f"{year + '-' if year else ''}{month:02}-{int(point.get('NUMBER', day)):02}"


# --- all the rules ---------------------------------------------------------------------------


def _hours(rules: Sequence[_Rule]) -> Hours:
    """What the rules come to, in the order of precedence that `Hours` have."""
    _refuse_out_of_place(rules)
    weekly: dict[Weekday, tuple[Times, ...]] = dict.fromkeys(WEEKDAYS, ())
    dated: list[_Rule] = []
    holiday: _Rule | None = None
    before_holiday = 0
    overridden: set[Weekday] = set()
    for rule in rules:
        if rule.dates:
            dated += [] if rule.cut else [rule]
            continue
        for day in rule.weekdays:
            weekly[day] = united((*weekly[day], *rule.times)) if rule.adds else rule.times
        overridden |= rule.weekdays
        if rule.bank_holidays:
            holiday, before_holiday, overridden = rule, len(dated), set()

    bank_holidays: _BankHolidays = "as_usual"
    if holiday:
        bank_holidays = _bank_holidays(holiday, overridden, weekly, dated[:before_holiday])
    if bank_holidays == "as_usual":
        # With no bank-holiday rule to come between them, it is free where seasons end.
        before_holiday = len(dated) - sum(1 for _ in takewhile(_plain, reversed(dated)))
    for rule in dated[before_holiday:]:
        if rule.weekdays != frozenset(WEEKDAYS):
            raise HoursRefused(rule.part, "Write the rule for bank holidays after this one.")
    return Hours(
        weekly=weekly_periods(weekly),
        seasons=tuple(
            Season(first=d.first, last=d.last, days=tuple(rule.weekdays), times=rule.times)
            for rule in dated[:before_holiday]
            for d in rule.dates
        ),
        bank_holidays=bank_holidays,
        exceptions=tuple(
            DatedException(first=d.first, last=d.last, times=rule.times)
            for rule in dated[before_holiday:]
            for d in rule.dates
        ),
        closures=tuple(closure for rule in rules if rule.cut for closure in _closures(rule)),
    )


def _plain(rule: _Rule) -> bool:
    """Whether a rule with dates has the form that exceptions are written in."""
    return rule.every_day and not rule.whole_months


def _refuse_out_of_place(rules: Sequence[_Rule]) -> None:
    """Refuse the rules that can't stand where they do, or can't stand at all."""
    for number, rule in enumerate(rules):
        earlier = rules[:number]
        if rule.dates and rule.bank_holidays:
            raise HoursRefused(rule.part, "Write dates, or PH, but not both in one rule.")
        if rule.cut:
            _refuse_undated_cut(rule)
        elif any(other.cut for other in earlier):
            raise HoursRefused(rule.part, "Write the closures for a part of a day last.")
        if rule.adds:
            if rule.dates or rule.bank_holidays or not rule.times:
                raise HoursRefused(rule.part, "Write ; in place of the comma before this.")
            if any(other.dates or other.bank_holidays for other in earlier):
                raise HoursRefused(rule.part, "Write this before the rules for dates and PH.")
        elif not rule.dates:
            for other in earlier:
                if other.dates and other.weekdays & rule.weekdays:
                    raise HoursRefused(other.part, "A later rule overrides it: write dates last.")


def _refuse_undated_cut(rule: _Rule) -> None:
    if not rule.dates or not _plain(rule) or any(len(d.first) < 10 for d in rule.dates):
        raise HoursRefused(
            rule.part,
            "Write the times when it is open; to shut for part of one day give its year too, as in"
            " 2026 Dec 24 14:00-16:00 off.",
        )


_BankHolidays = Literal["as_usual", "closed"] | tuple[Times, ...]


def _bank_holidays(
    rule: _Rule,
    overridden: Set[Weekday],
    weekly: Mapping[Weekday, tuple[Times, ...]],
    seasons: Iterable[_Rule],
) -> _BankHolidays:
    """What bank holidays come to when later weekly rules have overridden theirs on some days."""
    left = frozenset(WEEKDAYS) - overridden
    seasonal = frozenset(day for season in seasons for day in season.weekdays)
    if overridden and not left & seasonal and all(weekly[day] == rule.times for day in left):
        return "as_usual"
    if any(weekly[day] != rule.times for day in overridden):
        raise HoursRefused(
            rule.part, "Later rules override it on some weekdays: write the rule for PH last."
        )
    return rule.times or "closed"


def _closures(rule: _Rule) -> list[Closure]:
    ranges = [(date.fromisoformat(d.first), date.fromisoformat(d.last)) for d in rule.dates]
    if sum((last - first).days + 1 for first, last in ranges) * len(rule.times) > MOST_CLOSURES:
        raise HoursRefused(rule.part, f"Write at most {MOST_CLOSURES} closures in one rule.")
    return [
        _valid(rule.part, partial(_closure, first + timedelta(days=n), cut))
        for first, last in ranges
        for n in range((last - first).days + 1)
        for cut in rule.times
    ]


def _closure(day: date, cut: Times) -> Closure:
    until = day if cut.opens < cut.closes else day + timedelta(days=1)
    return Closure(from_=f"{day}T{cut.opens}", until=f"{until}T{cut.closes}")


# --- written ---------------------------------------------------------------------------------


def text(hours: Hours) -> str:
    """The hours as text that `parse` reads back to the same meaning, always written the same way.

    It is longer than `parse` accepts only where there are some dozens of seasons or dates.
    """
    rules = [
        *_weekly_rules(hours),
        *_dated_rules(
            ((s, f"{_days_text(s.days)} {_times_text(s.times)}") for s in hours.seasons),
            months=True,
        ),
        *_bank_holiday_rule(hours),
        *_dated_rules((e, _times_text(e.times)) for e in hours.exceptions),
        *_dated_rules(
            (
                Dates(first=c.day.isoformat(), last=c.day.isoformat()),
                f"{_times_text([times(c.start, c.end)])} off",
            )
            for c in hours.closures
        ),
    ]
    return "; ".join(rules) or "off"


def _weekly_rules(hours: Hours) -> list[str]:
    days: dict[str, list[Weekday]] = {}
    for day, opened in times_by_weekday(hours.weekly).items():
        if opened:
            days.setdefault(_times_text(opened), []).append(day)
    if days == {_times_text([ALL_DAY]): list(WEEKDAYS)}:
        return ["24/7"]
    return [f"{_days_text(several)} {opened}" for opened, several in days.items()]


def _bank_holiday_rule(hours: Hours) -> list[str]:
    match hours.bank_holidays:
        case "as_usual":
            return []
        case "closed":
            return ["PH off"]
        case opened:
            return [f"PH {_times_text(opened)}"]


def _dated_rules(entries: Iterable[tuple[Dates, str]], *, months: bool = False) -> list[str]:
    """One rule for neighbours that say the same, with or without years.

    Only a season may name whole `months`: that is how one is told from an exception.
    """
    return [
        f"{','.join(_dates_text(dates, months) for dates, _ in same)} {says}"
        for (says, _), same in groupby(entries, lambda entry: (entry[1], len(entry[0].first)))
    ]


def _times_text(several: Iterable[Times]) -> str:
    return ",".join(f"{t.opens}-{t.closes}" for t in several) or "off"


def _days_text(days: Iterable[Weekday]) -> str:
    runs: list[list[int]] = []
    for day in map(WEEKDAYS.index, days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    ends = (sorted({run[0], run[-1]}) for run in runs)
    return ",".join("-".join(WEEKDAYS[day] for day in pair) for pair in ends)


def _dates_text(dates: Dates, months: bool) -> str:
    first, last = _date_text(dates.first), _date_text(dates.last)
    if months and _whole_months(dates):
        first, last = first[:3], last[:3]
    elif first[:-2] == last[:-2] and first < last:
        last = last[-2:]
    return first if first == last else f"{first}-{last}"


def _date_text(day: str) -> str:
    *year, month, number = day.split("-")
    return " ".join([*year, MONTHS[int(month) - 1], number])


def _whole_months(dates: Dates) -> bool:
    """Whether these are months of every year, from the first day to the last."""
    month, day = (int(number) for number in dates.last[-5:].split("-"))
    return dates.first[2:] == "-01" and day == monthrange(2000, month)[1]
