"""OpenStreetMap text: what it means, what is refused, and that what is written is read back."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opening_hours import OpeningHours

from app.venues.hours import Closure, DatedException, Hours, open_intervals, times_on
from app.venues.osm_hours import parse, text
from app.venues.osm_rules import LONGEST, HoursRefused
from tests.venues.test_hours import any_hours

LONDON = ZoneInfo("Europe/London")
THREE_YEARS = date(2026, 1, 1), date(2028, 12, 31)

# --- read and written ------------------------------------------------------------------------

CANONICAL = [
    # read, written, why
    ("24/7", "24/7", "always open"),
    ("00:00-24:00", "24/7", "said another way"),
    ("24/7; PH off", "24/7; PH off", "but for bank holidays"),
    ("off", "off", "never open, which is not the same as unknown"),
    ("closed", "off", "the other word"),
    ("Mo, We 10:00-12:00", "Mo,We 10:00-12:00", "a list of days, never all of Monday"),
    ("Mo-We, Fr 07:00-16:30", "Mo-We,Fr 07:00-16:30", "a list with a range"),
    ("Sa-Mo 22:00-04:00", "Mo,Sa-Su 22:00-04:00", "a range over the end of the week"),
    (
        "Mo-Fr 06:00-23:00, Sa 07:00-23:00",
        "Mo-Fr 06:00-23:00; Sa 07:00-23:00",
        "a comma before a day begins a rule that adds",
    ),
    ("Mo-Fr 10:00-12:00, Mo 11:00-14:00", "Mo 10:00-14:00; Tu-Fr 10:00-12:00", "adds on Monday"),
    ("Mo-Fr 10:00-12:00; Mo 11:00-14:00", "Mo 11:00-14:00; Tu-Fr 10:00-12:00", "overrides Monday"),
    ("Mo-Su 10:00-12:00; Su off", "Mo-Sa 10:00-12:00", "off overrides too"),
    ("Mo 11:00-19:00, 09:00-18:00", "Mo 09:00-19:00", "times that overlap unite"),
    ("Mo 09:00-12:00,12:00-15:00", "Mo 09:00-15:00", "times that touch unite"),
    ("Mo 12:00-15:00, 18:00-23:00", "Mo 12:00-15:00,18:00-23:00", "times that do not, do not"),
    ("Mo 18:00-23:00, 12:00-15:00", "Mo 12:00-15:00,18:00-23:00", "in the order of the day"),
    (
        "Sa 19:00-24:00; Tu-Th,Su,PH 11:00-14:00,19:00-24:00",
        "Tu-Th,Su 11:00-14:00,19:00-24:00; Sa 19:00-24:00; PH 11:00-14:00,19:00-24:00",
        "in order too where another day has but one of the times",
    ),
    ("9:30-17:30", "Mo-Su 09:30-17:30", "an hour of one digit, and every day"),
    ("11:30 - 21:00", "Mo-Su 11:30-21:00", "blanks about the hyphen"),
    ("Mo 10:00-12:00;Tu 10:00-13:00;", "Mo 10:00-12:00; Tu 10:00-13:00", "no blank, and a last ;"),
    ("  Mo 10:00-12:00\n", "Mo 10:00-12:00", "blanks at the ends"),
    ("Mo-Fr 22:00-26:00", "Mo-Fr 22:00-02:00", "26:00 is 02:00 on the next day"),
    ("Mo 12:00-00:00", "Mo 12:00-24:00", "midnight at the end of the day"),
    ("Mo 10:00-33:59", "Mo 10:00-09:59", "a minute less than 24 hours"),
    ("Mo 10:00-20:00,20:00-10:00", "Mo 10:00-20:00,20:00-10:00", "24 hours, said in two parts"),
    ("Mo-Fr 08:00-18:30; PH off", "Mo-Fr 08:00-18:30; PH off", "closed on bank holidays"),
    ("Mo-Fr 06:00-20:00; Sa-Su,PH off", "Mo-Fr 06:00-20:00; PH off", "with other days"),
    ("Mo-Fr,PH 09:00-17:00", "Mo-Fr 09:00-17:00; PH 09:00-17:00", "on any weekday"),
    ("PH,Su 09:00-17:00", "Su 09:00-17:00; PH 09:00-17:00", "PH first"),
    (
        "Su,PH 12:00-18:00; Mo-Sa 10:00-20:00",
        "Mo-Sa 10:00-20:00; Su 12:00-18:00",
        "the later rule overrides bank holidays on its days, and on Sunday they are as usual",
    ),
    ("PH 10:00-12:00; Mo 10:00-12:00", "Mo 10:00-12:00; PH 10:00-12:00", "the same on each day"),
    ("Dec 25 off", "Dec 25 off", "one day of every year"),
    ("Dec 25,26 off", "Dec 25,Dec 26 off", "a list of days"),
    ("Dec 25, Dec 26 off", "Dec 25,Dec 26 off", "a list of dates"),
    ("Dec 25 off; Dec 26 off", "Dec 25,Dec 26 off", "two rules that say the same"),
    ("Dec 24-26 off", "Dec 24-26 off", "a range of days"),
    (
        "24/7; Dec 24-26 off; Dec 25 10:00-12:00",
        "24/7; Dec 24-26 off; Dec 25 10:00-12:00",
        "but one",
    ),
    ("Dec 24-Jan 2 off", "Dec 24-Jan 02 off", "a range over the new year"),
    ("Dec 26-Dec 24 off", "Dec 26-Dec 24 off", "nearly a year"),
    ("Feb 29 off", "Feb 29 off", "only in leap years"),
    ("2026 Dec 24 10:00-16:00", "2026 Dec 24 10:00-16:00", "one day of one year"),
    ("2026 Dec 24,31 off", "2026 Dec 24,2026 Dec 31 off", "a list in one year"),
    ("2026 Dec 24-2027 Jan 2 off", "2026 Dec 24-2027 Jan 02 off", "a range of two years"),
    ("2026 Dec 24-26 off", "2026 Dec 24-26 off", "a range in one month"),
    (
        "Oct-Apr: Mo-Sa 11:00-17:00; May-Sep: Mo-Sa 11:00-17:30",
        "Oct-Apr Mo-Sa 11:00-17:00; May-Sep Mo-Sa 11:00-17:30",
        "seasons, with a colon",
    ),
    ("May-Sep 10:00-20:00", "May-Sep Mo-Su 10:00-20:00", "a season on every day"),
    ("Jan,Mar off", "Jan,Mar Mo-Su off", "a list of months"),
    ("Feb Mo off", "Feb Mo off", "February to its last day, the 29th too"),
    (
        "2027 Jun 01-2027 Sep 30 Mo-Fr 10:00-20:00",
        "2027 Jun 01-2027 Sep 30 Mo-Fr 10:00-20:00",
        "a season of one year",
    ),
    ("2027 Jun Sa off", "2027 Jun 01-30 Sa off", "a month of one year"),
    (
        "Mo-Su 10:00-20:00; 2026 Dec 24 14:00-16:00 off",
        "Mo-Su 10:00-20:00; 2026 Dec 24 14:00-16:00 off",
        "closed for just these times",
    ),
    (
        "24/7; 2026 Dec 24 22:00-02:00,14:00-16:00 off",
        "24/7; 2026 Dec 24 14:00-16:00 off; 2026 Dec 24 22:00-02:00 off",
        "twice, and over midnight",
    ),
    (
        "24/7; 2026 Dec 24 14:00-38:00 off",
        "24/7; 2026 Dec 24 14:00-38:00 off",
        "24 hours from the afternoon on",
    ),
    (
        "24/7; 2026 Dec 24 00:00-24:00 off",
        "24/7; 2026 Dec 24 00:00-24:00 off",
        "the whole day, and the night before",
    ),
    (
        "24/7; 2026 Dec 24-25 14:00-24:00 off",
        "24/7; 2026 Dec 24,2026 Dec 25 14:00-24:00 off",
        "on each of two days",
    ),
]


@pytest.mark.parametrize(("read", "written", "why"), CANONICAL)
def test_text_is_read_and_written_in_one_form(read: str, written: str, why: str) -> None:
    assert text(parse(read)) == written, why
    assert parse(written) == parse(read), why


PRECEDENCE = [
    # text, a day on which two rules meet, what begins on it, why
    (
        "Mo-Su 10:00-20:00; Dec 20-31 11:00-12:00; PH off",
        date(2027, 12, 25),
        "",
        "a later rule for bank holidays overrides the dates",
    ),
    (
        "Mo-Su 10:00-20:00; PH off; Dec 25 11:00-12:00",
        date(2027, 12, 25),
        "11:00-12:00",
        "later dates override bank holidays",
    ),
    (
        "Mo-Su 10:00-20:00; Dec 24-26 off; Dec Sa 11:00-12:00",
        date(2027, 12, 25),
        "11:00-12:00",
        "of two rules with dates the later holds, whatever their form",
    ),
    (
        "Mo-Su 10:00-20:00; Dec Sa 11:00-12:00; Dec 25 off",
        date(2027, 12, 25),
        "",
        "and the other way about",
    ),
    (
        "Mo-Su 10:00-20:00; PH 11:00-12:00; Dec off",
        date(2027, 12, 27),
        "",
        "a month off after the rule for bank holidays overrides it",
    ),
    (
        "Mo-Su 10:00-22:00; Su 12:00-20:00",
        date(2027, 12, 26),
        "12:00-20:00",
        "a day overrides what was said of all of them",
    ),
]


@pytest.mark.parametrize(("written", "day", "expected", "why"), PRECEDENCE)
def test_the_later_rule_holds(written: str, day: date, expected: str, why: str) -> None:
    intervals = open_intervals(parse(written), day, day)
    found = [f"{start:%H:%M}-{end:%H:%M}" for start, end in intervals if start.date() == day]
    assert " ".join(found) == expected, why


def test_dates_are_exceptions_and_months_or_weekdays_are_seasons() -> None:
    hours = parse("Mo-Su 10:00-20:00; May-Sep 09:00-21:00; Dec 24-26 off; 2027 Jun 05 off")
    assert [(s.first, s.last) for s in hours.seasons] == [("05-01", "09-30")]
    assert [(e.first, e.last) for e in hours.exceptions] == [
        ("12-24", "12-26"),
        ("2027-06-05", "2027-06-05"),
    ]


def test_a_timed_closure_may_end_at_midnight_or_after() -> None:
    hours = parse("24/7; 2026 Dec 24 14:00-24:00 off; 2026 Dec 26 22:00-02:00 off")
    assert hours.closures == (
        Closure(from_="2026-12-24T14:00", until="2026-12-24T24:00"),
        Closure(from_="2026-12-26T22:00", until="2026-12-27T02:00"),
    )


# --- refused ---------------------------------------------------------------------------------

REFUSED = [
    # text, part, what the reason says
    ("Mo-Fr", "Mo-Fr", "opens and closes"),
    ("Mo-Fr; Sa 10:00-12:00", "Mo-Fr", "opens and closes"),
    ("Sa 10:00-12:00; Su 10:00-", "Su 10:00-", "opens and closes"),
    ("Mo-Fr 25:00-26:00", "25:00-26:00", "00:00 to 23:59"),
    ("24:00-26:00", "24:00-26:00", "00:00 to 23:59"),
    ("Mo 10:00-35:00", "10:00-35:00", "24 hours"),
    ("Mo 10:00-49:00", "10:00-49:00", "no such time"),
    ("Mo 10:00-12:60", "10:00-12:60", "no such time"),
    ("Sa,Su 00:00-00:00", "00:00-00:00", "opens and closes at the same time: write 00:00-24:00"),
    ("0:00-0:00", "0:00-0:00", "same time"),
    ("Mo 12:00-12:00,13:00-14:00", "12:00-12:00", "same time"),
    ("Mo-Su 09:00-17:00; PH 10:00-10:00", "10:00-10:00", "same time"),
    ("Mo-Su 09:00-17:00; Dec 24 10:00 - 10:00", "10:00 - 10:00", "same time"),
    ("Jun-Aug Mo 00:00-00:00", "00:00-00:00", "same time"),
    ("24/7; 2026 Dec 24 14:00-14:00 off", "14:00-14:00", "same time"),
    ("Mo 10:00-34:00", "10:00-34:00", "less than 24 hours"),
    ("24:00-00:00", "24:00-00:00", "00:00 to 23:59"),
    ("10-12", "10-12", "minutes"),
    ("Mo-Fr 10-12", "10-12", "minutes"),
    ("Mo-Fr 11:00+", "11:00+", "closing time"),
    ("Mo-Fr 11:00-23:00+", "23:00+", "closing time"),
    ("Mo-Fr sunrise-18:00", "sunrise-18:00", "time of day"),
    ("08:00-sunset", "sunset", "time of day"),
    ("(dawn+01:00)-18:00", "(dawn+01:00)-18:00", "time of day"),
    ("Mo-Su 08:00-dusk", "dusk", "time of day"),
    ('Mo 10:00-12:00 "by the back door"', '"by the back door"', "comments"),
    ("week 1-10 Mo 10:00-12:00", "week 1-10", "dates"),
    ("SH off", "SH", "school holidays"),
    ("easter -2 days off", "easter", "dates"),
    ("Mo[1] 10:00-12:00", "Mo[1]", "dates"),
    ("Mo 10:00-12:00 || Tu 10:00-12:00", "||", ";"),
    ("Mo unknown", "unknown", "not known"),
    ("Mon-Fri 10:00-12:00", "Mon", "Mo, Tu"),
    ("Mo 9am-5pm", "9am", "09:00"),
    ("Mo\u2013Fr 10:00-12:00", "\u2013", "hyphens"),
    ("Mo-Mo 10:00-12:00", "Mo-Mo", "once"),
    ("Mo-Fr 24/7", "24/7", "by itself"),
    ("Feb 30 off", "Feb 30", "no such date"),
    ("2027 Feb 29 off", "2027 Feb 29", "no such date"),
    ("Dec 26-24 off", "Dec 26-24", "month at both ends"),
    ("2026 Dec 24-Jan 2 off", "2026 Dec 24-Jan 2", "year at both ends"),
    ("2026 Dec 24,Dec 25 off", "Dec 25", "year with each"),
    ("2027 Jan 2-2026 Dec 24 off", "2027 Jan 2-2026 Dec 24", "after the last"),
    ("Dec-Jan 2 off", "Dec-Jan 2", "both ends"),
    ("1999 Dec 24 off", "1999 Dec 24", "2000 to 2099"),
    ("Mo-Fr 09:00-17:00, PH 09:00-18:00", "PH 09:00-18:00", "Write ;"),
    ("Mo-Fr 09:00-17:00, Dec 25 off", "Dec 25 off", "Write ;"),
    ("Mo-Fr 09:00-17:00, 2026 Dec 25 10:00-12:00", "2026 Dec 25 10:00-12:00", "Write ;"),
    ("Mo-Fr 09:00-17:00, We off", "We off", "Write ;"),
    ("May-Sep Mo-Fr 09:00-17:00, Sa 10:00-12:00", "Sa 10:00-12:00", "before the rules for dates"),
    ("Mo-Fr 09:00-17:00; PH off, Sa 10:00-12:00", "Sa 10:00-12:00", "before the rules for dates"),
    ("PH 10:00-11:00; Mo-Fr 10:00-12:00", "PH 10:00-11:00", "PH last"),
    ("PH off; Mo-Fr 09:00-17:00", "PH off", "PH last"),
    ("PH off; Mo-Su 09:00-17:00", "PH off", "PH last"),
    ("PH 12:00-18:00; Mo-Su 10:00-20:00", "PH 12:00-18:00", "PH last"),
    ("Mo-Su 10:00-20:00; PH off; PH 11:00-12:00", "PH off", "name PH once"),
    ("Mo-Fr 09:00-17:00; 18:00-22:00", "18:00-22:00", "write its days"),
    ("Mo-Fr 09:00-17:00; 09:00-17:00", "09:00-17:00", "write its days"),
    ("Mo-Fr 09:00-17:00; off", "off", "write its days"),
    ("Mo-Fr 09:00-17:00; 24/7", "24/7", "write its days"),
    ("Mo-Fr 09:00-17:00, 24/7", "24/7", "write its days"),
    ("PH off; 10:00-20:00", "10:00-20:00", "write its days"),
    ("09:00-12:00; 13:00-17:00", "13:00-17:00", "in one list"),
    ("Mo-Fr 09:00-12:00; Mo-Fr 13:00-17:00", "Mo-Fr 09:00-12:00", "in one list"),
    ("Su off; Mo-Su 10:00-20:00", "Su off", "after them"),
    ("Sa 10:00-14:00; Sa-Su 12:00-20:00", "Sa 10:00-14:00", "all of it"),
    ("Mo-Fr 09:00-17:00; Mo-We off; Th-Fr off", "Mo-Fr 09:00-17:00", "all of it"),
    ("24/7; Mo-Su 10:00-20:00", "24/7", "all of it"),
    ("Mo-Fr 09:00-17:00; Dec 10:00-20:00", "Dec 10:00-20:00", "closed else"),
    (
        "May-Sep: Mo-Fr 09:00-19:00; Sa 10:00-14:00",
        "Sa 10:00-14:00",
        "all the year: write dates last",
    ),
    ("24/7; Dec 25 off; Dec 25 10:00-12:00", "Dec 25 off", "once"),
    ("24/7; Dec 25 off; Dec 24-26 10:00-12:00", "Dec 25 off", "once"),
    ("24/7; Dec 25 off; Dec 10:00-12:00", "Dec 25 off", "once"),
    ("May Mo 10:00-12:00; May-Sep Mo-Fr 09:00-17:00", "May Mo 10:00-12:00", "once"),
    ("24/7; Dec 25 off; PH 12:00-16:00", "Dec 25 off", "after that"),
    ("24/7; Dec 20-31 off; PH 12:00-16:00", "Dec 20-31 off", "after that"),
    ("24/7; Dec 24,25 10:00-14:00; PH off", "Dec 24,25 10:00-14:00", "after that"),
    ("24/7; 2027 Mar 26 10:00-14:00; PH off", "2027 Mar 26 10:00-14:00", "after that"),
    ("10:00-20:00; PH off; Dec 10:00-22:00", "Dec 10:00-22:00", "after this one"),
    ("Jul Su 10:00-11:00; PH off; Mo 09:00-10:00", "Mo 09:00-10:00", "dates last"),
    ("Mo-Fr,PH 10:00-12:00; Sa 10:00-14:00", "Mo-Fr,PH 10:00-12:00", "PH last"),
    ("Dec 25 off; Mo-Su 10:00-20:00", "Dec 25 off", "dates last"),
    ("10:00-20:00; PH off; Jul Mo 10:00-14:00", "Jul Mo 10:00-14:00", "after this one"),
    ("Dec PH off", "Dec PH off", "not both"),
    ("Mo 09:00-17:00; Mo 12:00-13:00 off", "Mo 12:00-13:00 off", "when it is open"),
    ("24/7; Dec 24 12:00-24:00 off", "Dec 24 12:00-24:00 off", "give its year"),
    ("2026 Dec 24 12:00-13:00 off; 24/7", "24/7", "last"),
    ("2026 Jan 1-2027 Jan 2 12:00-13:00 off", "2026 Jan 1-2027 Jan 2 12:00-13:00 off", "366"),
    ("2099 Dec 31 22:00-02:00 off", "2099 Dec 31 22:00-02:00 off", "2000 to 2099"),
    ("Mo 10:00-12:00;; Tu 10:00-12:00", ";", "opens and closes"),
    (";", ";", "opens and closes"),
    ("Mo-Fr 10:00-12:00 Sa 10:00-12:00", "Sa", "not understood"),
    ("Mo 10:00", "Mo 10:00", "opens and closes"),
    ("lunch", "lunch", "not understood"),
    ("", "", "Write the hours"),
    ("   ", "", "Write the hours"),
    ("Mo 10:00-12:00\nTu 10:00-12:00", "", "one line"),
    ("Mo 10:00-12:00\0", "", "one line"),
    ("Mo 10:00-\ud80012:00", "", "one line"),
    ("\u0663:00-\u0664:00", "\u0663", "plain"),
    ("\u017fa 10:00-12:00", "\u017f", "plain"),
    ("Mo 10:00-12:00;" * 67, ("Mo 10:00-12:00;" * 3)[:40], "1,000 characters"),
]


@pytest.mark.parametrize(("refused", "part", "reason"), REFUSED)
def test_what_cannot_be_said_exactly_is_refused(refused: str, part: str, reason: str) -> None:
    with pytest.raises(HoursRefused) as refusal:
        parse(refused)
    assert refusal.value.part == part
    assert part in refused
    assert reason in refusal.value.reason
    assert refusal.value.reason.endswith(".")


def _read(written: str) -> Hours | HoursRefused:
    try:
        return parse(written)
    except HoursRefused as refusal:
        return refusal


_PIECES = [
    *("Mo", "Tu-Fr", "Sa,Su", "PH", "SH", "Dec", "Dec-Jan", "2027", "24", "25-26", "10:00-12:00"),
    *("22:00-26:00", "24/7", "off", ";", ",", ":", "-", "+", '"', "[", "]", "(", "||", "\n", "\0"),
    *("week", "easter", "dusk", "10", "9:5", "99:99", "\u2013", "\ud800", "unknown", "closed"),
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(_PIECES), max_size=40).map(" ".join))
def test_any_text_is_read_or_refused(anything: str) -> None:
    read = _read(anything)
    if isinstance(read, HoursRefused):
        assert read.part in anything
        assert read.part.encode().decode() == read.part
    else:
        assert parse(text(read)) == read


@given(
    st.lists(
        st.sampled_from(
            ["Mo-Fr", "Sa", "Su,PH", "PH", "Dec 25", "Dec-Jan", "2027 May 3", "Jul Mo"]
        ),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_every_rule_that_is_accepted_keeps_its_meaning(who: list[str], data: st.DataObject) -> None:
    says = st.sampled_from([" off", " 10:00-12:00", " 13:00-15:00", " 20:00-04:00"])
    between = st.sampled_from(["; ", "; ", "; ", ", "])
    rules = [f"{one}{data.draw(says)}{data.draw(between)}" for one in who]
    written = "".join(rules)[:-2]
    hours = _read(written)
    assume(isinstance(hours, Hours))
    assert isinstance(hours, Hours)
    for day in (date(2027, 5, 3), date(2027, 7, 5), date(2027, 12, 25), date(2027, 12, 27)):
        assert _begin_on(written, day) == _begins(hours, day), day


def _begin_on(written: str, day: date) -> set[str]:
    """What begins on a day by the words of OpenStreetMap: each rule that matches it overrides."""
    weekday = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][day.weekday()]
    matches = {
        "Mo-Fr": day.weekday() < 5,
        "Sa": weekday == "Sa",
        "Su,PH": weekday == "Su" or (day.month, day.day) != (7, 5),
        "PH": (day.month, day.day) != (7, 5),
        "Dec 25": (day.month, day.day) == (12, 25),
        "Dec-Jan": day.month in (12, 1),
        "2027 May 3": day == date(2027, 5, 3),
        "Jul Mo": day.month == 7 and weekday == "Mo",
    }
    found: set[str] = set()
    for separator, rule in re.findall(r"(^|; |, (?=[A-Z0-9]))([^;]+?)(?=; |, |$)", written):
        who, says = rule.rsplit(" ", 1)
        if matches[who]:
            found = (found if separator == ", " else set()) | ({says} - {"off"})
    return found


def _begins(hours: Hours, day: date) -> set[str]:
    return {f"{t.opens}-{t.closes}" for t in times_on(hours, day)}


# --- round trip ------------------------------------------------------------------------------


@given(any_hours())
def test_what_is_written_is_read_back_to_the_same_meaning(hours: Hours) -> None:
    written = text(hours)
    assume(len(written) <= LONGEST)
    read = parse(written)
    assert text(read) == written
    assert open_intervals(read, *THREE_YEARS) == open_intervals(hours, *THREE_YEARS)


def test_an_exception_that_a_longer_one_hides_is_not_written() -> None:
    hours = parse("Mo-Su 10:00-20:00; Dec 25 off")
    longer = DatedException(first="12-24", last="12-26", times=parse("11:00-12:00").weekly)
    hidden = hours.model_copy(update={"exceptions": (*hours.exceptions, longer)})
    assert text(hidden) == "Mo-Su 10:00-20:00; Dec 24-26 11:00-12:00"


# --- other readers ---------------------------------------------------------------------------


def _reference_errs(at: datetime) -> bool:
    """It goes back 24 hours to the day before, and so takes Saturday's night for Sunday's."""
    return (at.date(), at.hour) == (date(2027, 3, 29), 0)


def test_cases_of_the_reference_implementation(real_data: Path) -> None:
    cases = json.loads((real_data / "opening_hours_cases.json").read_text())
    assert cases
    for written, group in groupby(cases, lambda case: str(case["opening_hours"])):
        hours = parse(written)
        for case in group:
            at = datetime.fromisoformat(case["at"]).replace(tzinfo=LONDON)
            assert _is_open(hours, at) == (case["state"] == "open") or _reference_errs(at), case


def _is_open(hours: Hours, at: datetime) -> bool:
    intervals = open_intervals(hours, at.date(), at.date())
    return any(start <= at.astimezone(UTC) < end for start, end in intervals)


_REASONS_IN_REAL_TEXTS = re.compile(r'[0-9]:[0-9]{2}\+|dusk|sunset|".*"|, PH|^[A-Za-z-]+$')


def test_real_texts_are_read_unless_there_is_a_reason(real_data: Path) -> None:
    venues = json.loads((real_data / "osm_london_venues.json").read_text())
    texts = [venue["opening_hours"] for venue in venues if "opening_hours" in venue]
    assert len(texts) == 242
    read = {written: _read(written) for written in texts}
    for written, hours in read.items():
        if isinstance(hours, HoursRefused):
            assert hours.part
            assert hours.part in written
        else:
            assert parse(text(hours)) == hours
    refused = [written for written in texts if isinstance(read[written], HoursRefused)]
    assert refused == [written for written in texts if _REASONS_IN_REAL_TEXTS.search(written)]
    assert len(refused) == 15


_DATES = ["Dec 24-26", "Dec 31-Jan 02", "2027 Jun 07", "Jul 01"]
_day_span = st.tuples(st.integers(0, 47), st.integers(1, 48)).filter(lambda s: s[0] < s[1])


@st.composite
def _texts_that_all_read_alike(draw: st.DrawFn) -> str:
    """Rules by day, within the day, and in an order in which nothing known to differ comes up."""

    def opened() -> str:
        start, end = draw(_day_span)
        return f"{start // 2:02}:{start % 2 * 30:02}-{end // 2:02}:{end % 2 * 30:02}"

    days = draw(st.lists(st.sampled_from(["Mo-We", "Th", "Fr", "Sa", "Su"]), unique=True))
    rules = [f"{day} {opened()}" for day in days]
    if draw(st.booleans()):
        rules.append(f"May-Sep {draw(st.sampled_from(['Mo-Fr', 'Sa-Mo', 'We']))} {opened()}")
    several = draw(st.lists(st.sampled_from(_DATES), unique=True))
    rules += [f"{dates} {draw(st.sampled_from(['off', opened()]))}" for dates in several]
    return "; ".join(rules) or "off"


@given(
    _texts_that_all_read_alike(),
    st.lists(
        st.datetimes(datetime(2026, 1, 2), datetime(2028, 12, 30))  # noqa: DTZ001
        | st.datetimes(datetime(2027, 6, 6), datetime(2027, 6, 9))  # noqa: DTZ001
        | st.datetimes(datetime(2027, 12, 23), datetime(2028, 1, 4)),  # noqa: DTZ001
        min_size=10,
        max_size=40,
    ),
)
def test_another_library_reads_the_same(written: str, instants: list[datetime]) -> None:
    ours, written_by_us = parse(written), OpeningHours(text(parse(written)))
    theirs = OpeningHours(written)
    for at in (instant.replace(second=0, microsecond=0) for instant in instants):
        if at.weekday() == 6 and at.month in (3, 10) and at.day >= 25:
            continue  # it contradicts itself when the clocks change
        opened = _is_open(ours, at.replace(tzinfo=LONDON))
        assert opened == theirs.is_open(at) == written_by_us.is_open(at), at


def test_help_points_with_nothing_but_dates_come_back() -> None:
    nights = [date(2026, 12, 4) + timedelta(weeks=week) for week in range(4)]
    written = f"{','.join(f'{night:%Y %b %d}' for night in nights)} 20:00-04:00"
    hours = parse(written)
    assert text(hours) == written
    assert hours.weekly == ()
    assert len(open_intervals(hours, *THREE_YEARS)) == 4
