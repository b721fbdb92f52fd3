"""Likely duplicates among many venues are those that comparing each with each finds."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.places import Point, haversine_m
from app.venues.duplicates import NEAR_M, Twin, likely_twins
from app.venues.rules import alike

_WORDS = ("The", "Old", "Lantern", "Lanten", "Bell", "Bull", "Bar", "Café", "1", "21", "aaaaaaaa")
_NAMES = st.one_of(
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(" ".join),
    st.text(alphabet="abAé1 '!", max_size=12),
    st.text(max_size=6),
)
_NEAR_EACH_OTHER = st.integers(-30, 30).map(lambda steps: steps * 1e-4)
"""Steps of 11 m from north to south, and of as much or less from west to east."""


@st.composite
def _venues(draw: st.DrawFn) -> list[tuple[str, Point]]:
    lat = draw(st.sampled_from([51.5134, 0.0, -89.0, 89.5, 0.00135]))
    steps = st.builds(
        lambda north, east: Point(lat + north, east), _NEAR_EACH_OTHER, _NEAR_EACH_OTHER
    )
    return draw(st.lists(st.tuples(_NAMES, steps), max_size=25))


@given(_venues())
def test_as_comparing_each_with_each(venues: list[tuple[str, Point]]) -> None:
    names, places = [name for name, _ in venues], [place for _, place in venues]
    apart = {
        (one, other): haversine_m(*_degrees(places[one]), *_degrees(places[other]))
        for one, other in combinations(range(len(venues)), 2)
    }
    like = {
        pair: metres
        for pair, metres in apart.items()
        if metres <= NEAR_M and alike(*(names[one] for one in pair))
    }
    found = likely_twins(names, places)
    assert found.keys() == {one for pair in like for one in pair}
    for one, twin in found.items():
        assert like[min(one, twin.other), max(one, twin.other)] == twin.metres
        nearest = min(metres for pair, metres in like.items() if one in pair)
        assert twin.metres == pytest.approx(nearest, abs=0.01)


def _degrees(place: Point) -> tuple[float, float]:
    return place.lat, place.lon


def test_many_at_one_place() -> None:
    """Some registers place venues by their postcodes only."""
    here = [Point(51.5134, -0.089)] * 500
    names = ["The Lantern", *(f"{'xyz'[n % 3] * 9} {n}" for n in range(498)), "Lantern"]
    found = likely_twins(names, here)
    assert (found[0], found[499]) == (Twin(499, 0.0), Twin(0, 0.0))
