"""What forms ask, in an officer's words: the API's own are for those who write programs.

By the name of a field, unless it says otherwise. What is not here is asked as the API says it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.web.staff.operations import Operation
from app.web.staff.shown import wording

LABELS = {
    "new": "New people",
    "refresher": "Refreshers",
    "attendances": "Who was trained",
    "findings": "Checklist",
    "staff": "Staff who should be trained",
    "left": "Trained staff who left since the last headcount",
    "outcome": "What came of it",
    "next_step": "What is agreed next",
    "next_step_on": "By when",
    "business_id": "Business",
    "as_from": "Since when it has been so",
    "refresh_months": "Months between refreshers",
    "location": "Place on the map",
    "not_a_duplicate_of": "Not the same as",
    "entrance": "How to find the door",
    "step_free": "Step-free access",
    "licensed": "Licensed for alcohol",
    "late_night": "Alcohol after midnight",
    "override_reason": "Why it is awarded although something is missing",
    "text": "Opening hours",
    "debrief_on": "Debrief arranged for",
    "retest_of": "Repeats the test",
    "preferred": "Ask this person first",
    "season_id": "Season",
    "until": "Last day",
    "email": "E-mail",
}

HINTS = {
    "new": "",
    "refresher": "",
    "role": "",
    "attendances": "Count people, never names. A refresher renews somebody; it adds no one.",
    "findings": "",
    "score": "",
    "staff": "",
    "left": "",
    "outcome": "",
    "next_step": "",
    "next_step_on": "",
    "venue_id": "Its name, or a part of it",
    "business_id": "Its name, or a part of it",
    "as_from": "Only if it was so before today",
    "refresh_months": "If its licence says how often; otherwise the course does",
    "opening_hours": "Like Mo-Fr 08:00-18:00; Sa 10:00-02:00. Leave it empty if nobody knows.",
    "text": "Like Mo-Fr 08:00-18:00; Sa 10:00-02:00",
    "location": "The two numbers that maps show for a place",
    "reference": "Leave it empty to have one made",
    "not_a_duplicate_of": "Ids of venues like this one that are others, one on each line",
    "licensed": "",
    "late_night": "It may sell alcohol at some time from 00:01 to 06:00",
    "override_reason": "Only if the assessment is missing or not passed; it is kept",
    "until": "Leave it empty for the usual time",
    "retest_of": "Found by itself: the last failed test of this venue",
    "debrief_on": "After a failed test",
    "preferred": "",
    "season_id": "",
    "grade": "",
}

FIRST = (
    "venue_id",
    "name",
    "category",
    "course",
    "kind",
    "on",
    "attendances",
    "result",
    "outcome",
    "address",
    "postcode",
    "location",
    "entrance",
    "phone",
    "opening_hours",
    "facilities",
    "step_free",
    "licensed",
    "late_night",
    "premises_licence",
    "place",
    "provider",
    "note",
    "next_step",
    "next_step_on",
    "business_id",
)
"""The order in which people expect to be asked; the rest follows as the API has it."""

SELDOM = {
    "reference",
    "uprn",
    "fhrs_id",
    "refresh_months",
    "conditions",
    "as_from",
    "not_a_duplicate_of",
    "override_reason",
    "retest_of",
}
"""What is folded away until somebody wants it."""

STEPS = {
    "applied": "record an application",
    "assessed": "assess",
    "awarded": "award",
    "refused": "refuse",
    "suspended": "suspend",
    "reinstated": "reinstate",
    "withdrawn": "withdraw",
}
"""What an officer does, by the kind of decision that comes of it."""

TITLES = {
    "record_training_session": "Log training",
    "put_venue": "Edit the venue",
    "confirm_venue": "Confirm the details",
    "put_hours": "Change the hours",
    "post_closure": "Close for a while",
    "post_exception": "Other hours on some days",
    "record_step_done": "It is done",
    "list_engagements": "Visits, calls, emails and events",
    "list_scheme_tests": "Scheme tests",
    "list_retests": "Retests to do",
    "list_next_steps": "Next steps",
    "list_problem_reports": "Problem reports",
    "list_accreditations": "Accreditations",
    "put_digest": "Change where it goes",
}

CONTACTS = {
    "visit": "Log a visit",
    "call": "Log a call",
    "email": "Log an email",
    "event": "Log an event",
}


DONE = {
    "record_engagement": "It is logged.",
    "confirm_venue": "The details are confirmed as of today.",
    "put_hours": "The opening hours are changed.",
    "forget_hours": "Nobody knows the opening hours any more.",
    "post_exception": "The other hours are set.",
    "post_closure": "The closure is set.",
    "record_step_done": "The next step is done.",
    "void_step_done": "The next step is open again.",
    "record_scheme_test": "The test is recorded.",
    "no_contact": "The contact is erased.",
    "add_decision": "The step is recorded.",
    "change_roles": "The roles are changed.",
    "change_password": "Your password is changed.",
}
"""What is said after something was done, where its own name does not make the sentence."""

DOING = {
    "Add": "added",
    "Change": "changed",
    "Close": "closed",
    "Declare": "declared",
    "Disable": "disabled",
    "Edit": "changed",
    "Enable": "enabled",
    "End": "ended",
    "Plan": "planned",
    "Record": "recorded",
    "Register": "registered",
    "Remove": "removed",
    "Reopen": "open again",
    "Resolve": "resolved",
    "Take up": "taken up",
    "Void": "voided, and stays in the history",
}
"""What something is after it was done, by how the name of that begins."""


def said_done(operation: Operation) -> str:
    """A sentence that says that it was done."""
    if operation.name in DONE:
        return DONE[operation.name]
    for verb, become in DOING.items():
        if found := re.fullmatch(rf"{verb} an? (.+)", operation.summary):
            return f"The {found[1]} is {become}."
    return "It is done."


def ordered(keys: Iterable[str]) -> list[str]:
    """The fields of a form as people expect them; what is seldom needed comes last."""
    ranks = {key: rank for rank, key in enumerate(FIRST)}
    return sorted(keys, key=lambda key: (key in SELDOM, ranks.get(key, len(ranks))))


def hint_of(key: str, schema: Mapping[str, Any], *, needed: bool) -> str:
    """What is said below a field's name."""
    if key == "on":
        return "" if needed else "Today, if you leave it empty"
    if key == "until" and needed:
        return ""
    said = "" if schema.get("type") == "object" else schema.get("description", "")
    return HINTS.get(key, said.replace("`", ""))


def title_of(operation: Operation, asked: Mapping[str, Any]) -> str:
    """What a form does, as its heading and its button say it."""
    kind, scheme = str(asked.get("kind", "")), str(asked.get("scheme", ""))
    if operation.name == "record_engagement":
        return CONTACTS.get(kind, "Log a contact")
    if kind in STEPS and scheme:
        links = {"applied": " for", "assessed": " for"}
        return f"{STEPS[kind].capitalize()}{links.get(kind, '')} {wording(scheme)}"
    return TITLES.get(operation.name, operation.summary)
