"""Names, references and hours in words: the rules, with the reason for each row."""

from datetime import date

import pytest

from app.venues import osm_hours
from app.venues.rules import alike, next_reference
from app.venues.words import days_in_words


@pytest.mark.parametrize(
    ("name", "other", "expected", "reason"),
    [
        ("The Lantern", "The Lantern", True, "the same name"),
        ("The Lantern", "LANTERN", True, "an article and capitals say nothing"),
        ("The Lantern", "Lantern Bar Ltd", True, "nor does the kind of place or of company"),
        ("The King's Head", "Kings Head", True, "an apostrophe comes and goes"),
        ("Café Müller", "Cafe Muller", True, "so do accents"),
        ("Slug & Lettuce", "Slug and Lettuce Fleet Street", True, "all of one is in the other"),
        ("The Black Friar", "The Blackfriar", True, "the letters are the same but for a space"),
        ("Old Bell", "Old Bull", True, "one letter is another: shown, for a person to decide"),
        ("Starbucks", "Starbuks", True, "a letter is missing"),
        ("The Hotel", "Hotel", True, "a name of nothing but common words still counts"),
        ("The Bell", "The Crown", False, "only the article is the same"),
        ("Red Lion", "White Lion", False, "half of it differs"),
        (
            "The City Tavern",
            "The City Pub",
            False,
            "of nothing but common words, all must be there",
        ),
        ("!!!", "???", False, "no letter to compare"),
        ("The Lantern", "", False, "no name"),
    ],
)
def test_which_names_are_alike(name: str, other: str, expected: bool, reason: str) -> None:
    assert alike(name, other) is expected, reason
    assert alike(other, name) is expected, reason


@pytest.mark.parametrize(
    ("taken", "expected", "reason"),
    [
        ([], "V-000001", "the first"),
        (["V-000001", "V-000123", "V-000007"], "V-000124", "one more than the highest"),
        (["fhrs-999999", "V-12", "V-abcdef", "v-000900"], "V-000001", "others' references"),
        (["V-999999"], "V-1000000", "one digit more, never again from the start"),
        (["V-1000000", "V-999999"], "V-1000001", "as numbers, not as text"),
    ],
)
def test_the_next_reference(taken: list[str], expected: str, reason: str) -> None:
    assert next_reference(taken) == expected, reason


@pytest.mark.parametrize(
    ("hours", "day", "expected", "reason"),
    [
        ("Mo-Su 11:00-23:00", "2026-11-27", "11:00 to 23:00", "a plain day"),
        ("Fr 11:00-02:00", "2026-11-27", "11:00 to 02:00 (Saturday)", "past midnight"),
        ("Fr 11:00-02:00", "2026-11-28", "until 02:00, then closed", "the night before runs on"),
        (
            "Fr,Sa 11:00-02:00",
            "2026-11-28",
            "until 02:00, 11:00 to 02:00 (Sunday)",
            "the night before, and its own",
        ),
        ("Mo-Su 11:00-24:00", "2026-11-27", "11:00 to midnight", "closes as the day ends"),
        ("Mo-Fr 11:00-23:00", "2026-11-28", "closed", "a day without periods"),
        ("24/7", "2026-11-27", "open all day", "never shuts"),
        ("Mo 10:00-09:00; Tu 09:00-16:00", "2026-11-23", "10:00 to 16:00 (Tuesday)", "one opening"),
        (
            "Mo-Fr 09:00-12:00,14:00-18:00",
            "2026-11-27",
            "09:00 to 12:00, 14:00 to 18:00",
            "a break",
        ),
        ("Mo-Su 10:00-18:00; PH off", "2026-12-25", "closed (bank holiday)", "shut on Christmas"),
        (
            "Mo-Su 10:00-18:00; PH off",
            "2026-12-28",
            "closed (bank holiday)",
            "the substitute for Boxing Day is one too",
        ),
        (
            "Mo-Su 10:00-18:00",
            "2026-12-25",
            "10:00 to 18:00 (bank holiday, hours as usual)",
            "as usual, but said",
        ),
        (
            "Mo-Su 10:00-18:00; 2026 Dec 25 12:00-15:00",
            "2026-12-25",
            "12:00 to 15:00 (dated exception; bank holiday)",
            "an exception goes before the holiday",
        ),
        (
            "Th 22:00-02:00; PH off",
            "2026-12-25",
            "until 02:00, then closed (bank holiday)",
            "the night before a holiday runs on",
        ),
        (
            "Mo-Fr 09:00-18:00; 2026 Nov 27 13:00-14:00 off",
            "2026-11-27",
            "09:00 to 13:00, 14:00 to 18:00 (shut from 13:00 to 14:00)",
            "a timed closure",
        ),
        (
            "Sa 22:00-04:00",
            "2026-10-24",
            "22:00 to 04:00 (Sunday) (the clocks go back on Sunday)",
            "the change falls into this night",
        ),
        (
            "Sa 22:00-01:30",
            "2026-10-24",
            "22:00 to 01:30 (Sunday)",
            "it shuts at the first half past one, before the change",
        ),
        (
            "Mo-Su 10:00-18:00",
            "2026-10-24",
            "10:00 to 18:00",
            "shut at the change, which is the next day's",
        ),
        (
            "Mo-Su 10:00-18:00",
            "2026-10-25",
            "10:00 to 18:00 (the clocks go back)",
            "the day of the change",
        ),
        (
            "Sa 22:00-01:30",
            "2027-03-27",
            "22:00 to 02:00 (Sunday)",
            "half past one is never reached: it shuts as the clocks jump",
        ),
        ("24/7", "2027-03-28", "open all day (the clocks go forward)", "a day of 23 hours"),
        (
            "2027 Mar 01-2027 Mar 31 00:00-24:00",
            "2027-03-02",
            "open all day (dated exception)",
            "one of many days and nights on end",
        ),
        ("off", "2026-11-27", "closed", "never opens"),
    ],
)
def test_a_day_in_words(hours: str, day: str, expected: str, reason: str) -> None:
    on = date.fromisoformat(day)
    (words,) = days_in_words(osm_hours.parse(hours), on, days=1).values()
    assert words == f"{on:%A} {on.day} {on:%B}: {expected}", reason
    # Told alone or as the last of a week, it is the same.
    week = days_in_words(osm_hours.parse(hours), date.fromordinal(on.toordinal() - 6))
    assert week[on] == words, reason
