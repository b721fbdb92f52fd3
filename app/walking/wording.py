"""The steps of a way in words. They are put together from phrases, which a phone gets as they are:
what is put together here, it puts together in the same way."""

from collections.abc import Mapping

from app.http.languages import Language
from app.walking.steps import SHORT_CM, Course, Step, Turn

Phrases = Mapping[str, str]


def headings(language: Language) -> dict[str, str]:
    """What each of `app.walking.steps.HEADINGS` is called."""
    _ = language.gettext
    return {
        "N": _("north"),
        "NE": _("north-east"),
        "E": _("east"),
        "SE": _("south-east"),
        "S": _("south"),
        "SW": _("south-west"),
        "W": _("west"),
        "NW": _("north-west"),
    }


def phrases(language: Language) -> dict[str, str]:
    """Every phrase of a step, by what it stands for."""
    _ = language.gettext
    return {
        # Of "Turn left into Bow Lane" the beginning, and further down the end.
        Turn.HEAD: _("Head {heading}"),
        Turn.STRAIGHT: _("Go straight on"),
        Turn.BEAR_LEFT: _("Bear left"),
        Turn.BEAR_RIGHT: _("Bear right"),
        Turn.LEFT: _("Turn left"),
        Turn.RIGHT: _("Turn right"),
        Turn.BACK: _("Turn back"),
        Turn.DOOR_LEFT: _("The haven is on the left"),
        Turn.DOOR_RIGHT: _("The haven is on the right"),
        Turn.DOOR_AHEAD: _("The haven is straight ahead"),
        Turn.DOOR_HERE: _("The haven is here"),
        "into": _("into {street}"),
        Course.STREET: _("along {street}"),
        Course.PATH: _("along a path without a name"),
        Course.SQUARE: _("across the square"),
        Course.BRIDGE: _("over the bridge"),
        Course.TUNNEL: _("through the tunnel"),
        Course.STEPS_UP: _("up the steps"),
        Course.STEPS_DOWN: _("down the steps"),
        Course.STEPS: _("by the steps"),
        Course.OFF: _("to the nearest street"),
        **headings(language),
        "step": _("{turn} {course}, {metres} m"),
        "no_known_steps": _("No known steps"),
        "door": _("{door}, {metres} m"),
    }


def in_words(step: Step, phrases: Phrases) -> str:
    """A step in words: "Turn left into Bow Lane, 80 m"."""
    turn = phrases[step.turn]
    metres = str(told_metres(step.cm))
    if step.course is None:
        if step.cm < SHORT_CM:
            return turn
        return phrases["door"].replace("{door}", turn).replace("{metres}", metres)
    is_turn = step.turn not in (Turn.HEAD, Turn.STRAIGHT, Turn.BACK)
    course = phrases["into" if step.course == Course.STREET and is_turn else step.course]
    if step.heading:
        turn = turn.replace("{heading}", phrases[step.heading])
    words = phrases["step"].replace("{turn}", turn).replace("{metres}", metres)
    # The name last, whatever stands in it.
    return words.replace("{course}", course).replace("{street}", step.name)


def told_metres(cm: int) -> int:
    """A length as it is told: to 5 m, from 100 m to 10 m, and never nothing."""
    unit = 1000 if cm >= 10_000 else 500
    return max((cm + unit // 2) // unit, 1) * (unit // 100)
