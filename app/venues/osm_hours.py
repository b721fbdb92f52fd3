"""OpenStreetMap `opening_hours` text, read into `Hours` and written from them.

A text is a list of rules in which the later override the earlier; `Hours` have a fixed order of
precedence. What can't be said in it exactly is refused, never guessed.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, timedelta
from functools import partial
from itertools import chain, groupby, takewhile
from typing import Literal, TypeVar

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
    bank_holidays,
    clock,
    merged_times,
    times_by_weekday,
    weekly_periods,
)
from app.venues.osm_rules import ALL_DAY, MONTHS, HoursRefused, Rule, valid

_Entry = TypeVar("_Entry", Season, DatedException)

MOST_CLOSURES = 366
"""How many timed closures one rule may stand for."""


def parse(text: str) -> Hours:
    """The hours that a text means; raises HoursRefused where `Hours` can't say exactly that."""
    # Brings a parser and builds its tables, for the few who write hours.
    from app.venues.osm_grammar import read_rules  # noqa: PLC0415

    text = text.strip()
    return valid(text[:40], partial(_hours, read_rules(text)))


def _hours(rules: Sequence[Rule]) -> Hours:
    """What the rules come to, in the order of precedence that `Hours` have."""
    _refuse_out_of_place(rules)
    weekly: dict[Weekday, tuple[Times, ...]] = dict.fromkeys(WEEKDAYS, ())
    dated: list[Rule] = []
    holiday: Rule | None = None
    before_holiday = 0
    overridden: set[Weekday] = set()
    for rule in rules:
        if rule.dates:
            dated += [] if rule.cuts else [rule]
            continue
        for day in rule.weekdays:
            weekly[day] = merged_times((*weekly[day], *rule.times)) if rule.adds else rule.times
        overridden |= rule.weekdays
        if rule.bank_holidays:
            if holiday and holiday.times != rule.times:
                raise HoursRefused(holiday.part, "A later rule for PH takes it back: name PH once.")
            holiday, before_holiday, overridden = rule, len(dated), set()
    _refuse_taken_back(rules, weekly)

    on_holidays: _BankHolidays = "as_usual"
    if holiday:
        on_holidays = _bank_holidays(holiday, overridden, weekly, dated[:before_holiday])
    if on_holidays == "as_usual":
        # With no bank-holiday rule to come between them, it is free where seasons end.
        before_holiday = len(dated) - sum(1 for _ in takewhile(_plain, reversed(dated)))
    seasons = _entries(Season, dated[:before_holiday])
    exceptions = _entries(DatedException, dated[before_holiday:])
    if holiday and on_holidays != "as_usual":
        _refuse_wrong_side(holiday, dated[:before_holiday], dated[before_holiday:])
    return Hours(
        weekly=weekly_periods(weekly),
        seasons=seasons,
        bank_holidays=on_holidays,
        exceptions=exceptions,
        closures=tuple(closure for rule in rules if rule.cuts for closure in _closures(rule)),
    )


def _entries(kind: type[_Entry], rules: Sequence[Rule]) -> tuple[_Entry, ...]:
    """What rules with dates come to; refuses one of which a later one leaves nothing."""
    by_rule: list[list[_Entry]] = []
    for rule in rules:
        usual = {"times": rule.times} | ({"days": tuple(rule.weekdays)} if kind is Season else {})
        by_rule.append([kind.model_validate(dict(dates) | usual) for dates in rule.dates])
    entries = tuple(chain.from_iterable(by_rule))
    shown = _shown(entries)
    for rule, its_entries in zip(rules, by_rule, strict=True):
        if not any(entry in shown for entry in its_entries):
            raise HoursRefused(rule.part, "A later rule takes it back: name these dates once.")
    return entries


def _plain(rule: Rule) -> bool:
    """Whether a rule with dates has the form that exceptions are written in."""
    return rule.every_day and not rule.whole_months


def _refuse_out_of_place(rules: Sequence[Rule]) -> None:
    """Refuse the rules that can't stand where they do, or can't stand at all."""
    for number, rule in enumerate(rules):
        earlier = rules[:number]
        if rule.dates and rule.bank_holidays:
            raise HoursRefused(rule.part, "Write dates, or PH, but not both in one rule.")
        if rule.cuts:
            _refuse_undated_cut(rule)
        elif any(other.cuts for other in earlier):
            raise HoursRefused(rule.part, "Write the closures for a part of a day last.")
        if rule.adds:
            if rule.dates or rule.bank_holidays or not rule.times:
                raise HoursRefused(rule.part, "Write ; in place of the comma before this.")
            if any(other.dates or other.bank_holidays for other in earlier):
                raise HoursRefused(rule.part, "Write this before the rules for dates and PH.")
        elif rule.weekdays and not rule.dates:
            for other in earlier:
                if other.dates and other.weekdays & rule.weekdays:
                    raise HoursRefused(other.part, "A later rule overrides it: write dates last.")
                if other.dates and rule.times:
                    raise HoursRefused(rule.part, "It is for all the year: write dates last.")


def _refuse_undated_cut(rule: Rule) -> None:
    if not rule.dates or not _plain(rule) or any(len(d.first) < 10 for d in rule.dates):
        raise HoursRefused(
            rule.part,
            "Write the times when it is open; to shut for part of one day give its year too, as in"
            " 2026 Dec 24 14:00-16:00 off.",
        )


_BankHolidays = Literal["as_usual", "closed"] | tuple[Times, ...]


def _bank_holidays(
    rule: Rule,
    overridden: Set[Weekday],
    weekly: Mapping[Weekday, tuple[Times, ...]],
    seasons: Iterable[Rule],
) -> _BankHolidays:
    """What bank holidays come to when later weekly rules have overridden theirs on some days.

    `Su,PH 12:00-18:00; Mo-Sa 10:00-20:00` leaves them as usual. One that is wholly overridden, or
    that closes, was meant to hold.
    """
    left = frozenset(WEEKDAYS) - overridden
    seasonal = frozenset(day for season in seasons for day in season.weekdays)
    usual = overridden and left and all(weekly[day] == rule.times for day in left)
    if usual and rule.times and not left & seasonal:
        return "as_usual"
    if any(weekly[day] != rule.times for day in overridden):
        raise HoursRefused(
            rule.part, "Later rules override it on some weekdays: write the rule for PH last."
        )
    return rule.times or "closed"


# --- what can't have been meant --------------------------------------------------------------
#
# A rule with days of its own often overrides an earlier, more general one: `Mo-Su 10:00-22:00;
# Su 12:00-20:00`. But nobody writes down what a later rule leaves nothing of.


def _refuse_taken_back(rules: Sequence[Rule], weekly: Mapping[Weekday, tuple[Times, ...]]) -> None:
    undated = [rule for rule in rules if not rule.dates]
    for number, rule in enumerate(undated):
        if rule.every_day and any(
            not other.every_day or other.times != rule.times for other in undated[:number]
        ):
            raise HoursRefused(
                rule.part,
                "Without days it holds on every day, in place of all before it: write its days, or"
                " the times of a day in one list, as in Mo-Fr 09:00-12:00,13:00-17:00.",
            )
    for number, rule in enumerate(undated):
        later = {day for o in undated[number + 1 :] if not o.adds for day in o.weekdays}
        if rule.weekdays <= later and any(weekly[day] != rule.times for day in rule.weekdays):
            raise HoursRefused(
                rule.part,
                "Later rules take all of it back: write it after them, or the times of a day in"
                " one list, as in Mo-Fr 09:00-12:00,13:00-17:00.",
            )
    closed = [day for day in WEEKDAYS if not weekly[day]]
    for rule in rules:
        if rule.whole_months and rule.every_day and rule.times and 0 < len(closed) < len(WEEKDAYS):
            raise HoursRefused(
                rule.part,
                "Without days it opens on those too that are closed else: write its days, as in"
                " May-Sep Mo-Fr.",
            )


def _shown(entries: Sequence[_Entry]) -> list[_Entry]:
    """Those that decide the times of some day. The others are refused, and not written either."""
    return [
        entry
        for number, entry in enumerate(entries)
        if not any(_hides(later, entry) for later in entries[number + 1 :])
    ]


def _hides(later: _Entry, earlier: _Entry) -> bool:
    return (
        later.cover(earlier)
        and later.times != earlier.times
        and set(getattr(later, "days", WEEKDAYS)) >= set(getattr(earlier, "days", WEEKDAYS))
    )


def _refuse_wrong_side(holiday: Rule, before: Iterable[Rule], after: Iterable[Rule]) -> None:
    """Refuse dates that are on the wrong side of the rule for bank holidays."""
    for rule in before:
        # That a bank holiday in a longer time of other hours has its own may be meant.
        named = [d for d in rule.dates if d.first == d.last or not rule.times]
        if rule.every_day and rule.times != holiday.times and any(map(_holds_bank_holiday, named)):
            raise HoursRefused(rule.part, "The rule for PH overrides it: write this after that.")
    for rule in after:
        if rule.weekdays != frozenset(WEEKDAYS) or (rule.whole_months and rule.times):
            raise HoursRefused(rule.part, "Write the rule for bank holidays after this one.")


def _holds_bank_holiday(dates: Dates) -> bool:
    """Whether some day of these is a bank holiday in some year."""
    return any(dates.include(day) for year in range(2000, 2100) for day in bank_holidays(year))


# --- closures --------------------------------------------------------------------------------


def _closures(rule: Rule) -> list[Closure]:
    ranges = [(date.fromisoformat(d.first), date.fromisoformat(d.last)) for d in rule.dates]
    if sum((last - first).days + 1 for first, last in ranges) * len(rule.cuts) > MOST_CLOSURES:
        raise HoursRefused(rule.part, f"Write at most {MOST_CLOSURES} closures in one rule.")
    return [
        valid(rule.part, partial(_closure, first + timedelta(days=n), *cut))
        for first, last in ranges
        for n in range((last - first).days + 1)
        for cut in rule.cuts
    ]


def _closure(day: date, start: int, end: int) -> Closure:
    until, closes = (day, end) if end <= DAY else (day + timedelta(days=1), end - DAY)
    return Closure(from_=f"{day}T{clock(start)}", until=f"{until}T{clock(closes)}")


# --- written ---------------------------------------------------------------------------------


def text(hours: Hours) -> str:
    """The hours as text that `parse` reads back to the same meaning, always written the same way.

    It is longer than `parse` accepts only where there are some dozens of seasons or dates.
    """
    rules = [
        *_weekly_rules(hours),
        *_dated_rules(
            ((s, f"{_days_text(s.days)} {_times_text(s.times)}") for s in _shown(hours.seasons)),
            months=True,
        ),
        *_bank_holiday_rule(hours),
        *_dated_rules((e, _times_text(e.times)) for e in _shown(hours.exceptions)),
        *_dated_rules(
            (Dates(first=str(c.day), last=str(c.day)), f"{_cut_text(c)} off")
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
    if hours.bank_holidays == "as_usual":
        return []
    return [f"PH {_times_text(() if hours.bank_holidays == 'closed' else hours.bank_holidays)}"]


def _dated_rules(entries: Iterable[tuple[Dates, str]], *, months: bool = False) -> list[str]:
    """One rule for neighbours that say the same, with or without years.

    Only a season may name whole `months`: that is how one is told from an exception.
    """
    return [
        f"{','.join(_dates_text(dates, months) for dates, _ in same)} {says}"
        for (says, _), same in groupby(entries, lambda entry: (entry[1], len(entry[0].first)))
    ]


def _cut_text(closure: Closure) -> str:
    """Its times; the end of one of 24 hours is counted on past 24:00, to differ from its start."""
    start, end = closure.start, closure.end
    return f"{clock(start)}-{clock(end if end - start == DAY else end - DAY * (end > DAY))}"


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
