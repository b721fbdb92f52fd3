"""Examples for the published contract, put together from those of each field."""

from typing import Any

from app.core.errors import PROBLEM_JSON

Json = dict[str, Any]

_FORMATS = {
    "uuid": "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10",
    "date-time": "2026-03-02T14:05:00Z",
    "date": "2026-03-02",
    "password": "correct horse battery staple",
}

_CRITERIA = (
    *("water", "electricity", "connection", "phone_charging", "seat", "toilet"),
    *("trained_staff_on_duty", "suitability"),
)
_FINDINGS: list[Json] = [{"criterion": criterion, "met": True} for criterion in _CRITERIA]
_FINDINGS[3]["note"] = "Two sockets behind the bar"
_AREAS = {"drink_spiking": "Drink spiking", "womens_safety": "Women's safety"}
_HELP = [{"name": "Emergency services", "phone": "999"}]

_TOGETHER: dict[str, Json] = {
    "AccountShown": {"disabled": False, "password": "own"},
    "AccreditationOut": {"grade": None},
    "Assessment": {"findings": _FINDINGS},
    "Award": {"grade": None, "until": None},
    "Checked": {"on": "2026-11-20"},
    "Closure": {"from": "2026-11-27T14:00", "until": "2026-11-27T17:00"},
    "ContactEnding": {"on": "2026-11-27"},
    "ContactIn": {"preferred": True},
    "ContactOut": {"venue_id": None},
    "DatedException": {"first": "2026-12-24", "last": "2026-12-26", "times": []},
    "DecisionOut": {"grade": None, "effective_at": "2026-03-02T00:00:00Z"},
    "Difference": {"issued_known_at": "2025-04-01T08:00:00Z"},
    "EngagementIn": {"venue_id": _FORMATS["uuid"]},
    "EngagementOut": {"venue": {"id": _FORMATS["uuid"], "name": "The Lantern"}},
    "HeadcountOut": {"on": "2025-03-01"},
    "Me": {
        "password_is_temporary": False,
        "second_factor_missing": False,
        "recovery_codes_left": 10,
        "signed_in_at": "2026-03-02T09:02:11Z",
        "signed_in_until": "2026-03-02T21:02:11Z",
    },
    "PackAbout": {"issued_by": None},
    "PasswordChange": {"new_password": "a lantern over every door"},
    "ProblemReportOut": {"state": "resolved"},
    "ProblemReportTaken": {
        "notice": "Thank you, your report is kept. Nobody reads it live: if you need help now,"
        " call.",
        "help": _HELP,
    },
    "Reopening": {"on": "2026-12-01"},
    "SchemeOut": {"grades": [], "seasonal": False, "assessed_by_licensing": False}
    | {"review_months": None},
    "SeasonOut": {"areas": _AREAS, "grades": ["commended", "highly_commended"]},
    "SeasonEdit": {"areas": _AREAS},
    "SessionOut": {"trained": {"new": 12, "refresher": 0, "total": 12}},
    "StandingOut": {"grade": None, "review_due": None}
    | {"next_steps": ["applied", "assessed", "awarded", "suspended", "withdrawn"]},
    "VenueIn": {"reference": None, "as_from": None, "licensed": True, "step_free": "no"},
    "VenueOut": {"step_free": "no"},
    "VenueTests": {"venues": 1},
}
"""Fields that the fields' own examples would not agree on, by model; None is left out."""

_WHOLE: dict[str, Json] = {
    "Registration": {"opening_hours": "Mo-Sa 11:00-23:00", "phone": "020 7946 0123"}
    | {"entrance": "By the clock, two steps up", "facilities": ["water", "seat", "toilet"]},
    "VenueEdit": {"phone": "020 7946 0999", "late_night": True, "as_from": "2026-10-01"},
}
"""What is seldom sent with all its fields, by model."""

_OF_MISTAKES_AND_ENDS = frozenset(
    {
        *("voided", "voided_at", "voided_by", "void_reason", "override_reason"),
        *("closed_on", "closed_reason", "ended_on"),
    }
)
"""What most records have not, and so is in no example that is put together."""


def add_examples(document: Json) -> None:
    """Give an example, and a description, to everything that has none of its own."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                _describe_parameter(parameter)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                _complete(content, schemas)
            for answer in operation["responses"].values():
                _describe_answer(answer, schemas)
                for media_type, content in answer.get("content", {}).items():
                    if media_type != PROBLEM_JSON:
                        _complete(content, schemas)


def _complete(content: Json, schemas: Json) -> None:
    if "example" in content or "examples" in content:
        return
    kinds = content["schema"].get("discriminator", {}).get("mapping")
    if kinds:
        content["examples"] = {
            kind: {"value": example({"$ref": of}, schemas)} for kind, of in kinds.items()
        }
    else:
        content["example"] = example(content["schema"], schemas)


def _describe_parameter(parameter: Json) -> None:
    if "description" not in parameter:
        words = parameter["name"].replace("_", " ")
        of_id = words.removesuffix(" id")
        parameter["description"] = (
            f"The `id` of the {of_id}" if of_id != words else words.capitalize()
        )


def _describe_answer(answer: Json, schemas: Json) -> None:
    if answer.get("description") != "Successful Response":
        return
    # What has other forms too is described by the one with a model.
    name = _name(answer["content"]["application/json"]["schema"])
    about: str = schemas[name].get("description", "")
    answer["description"] = "A page of the list" if name.startswith("Page_") else _sentence(about)


def _sentence(text: str) -> str:
    return " ".join(text.partition(". ")[0].split()).rstrip(".")


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def example(schema: Json, schemas: Json) -> Any:
    """An instance of a schema, as its fields' examples have it."""
    if "examples" in schema:
        return schema["examples"][0]
    if name := _name(schema):
        return _WHOLE.get(name) or _agreeing(name, example(schemas[name], schemas))
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if choice != {"type": "null"}:
            return example(choice, schemas)
    if schema.get("type") == "object" and "properties" in schema:
        return {
            field: example(described, schemas)
            for field, described in schema["properties"].items()
            if _belongs(field, described, schema)
        }
    if schema.get("type") == "array":
        return [example(schema["items"], schemas)]
    if "default" in schema:
        return schema["default"]
    return _plain(schema)


def _agreeing(name: str, shown: Any) -> Any:
    if name not in _TOGETHER:
        return shown
    return {k: v for k, v in (shown | _TOGETHER[name]).items() if v is not None}


def _belongs(field: str, described: Json, schema: Json) -> bool:
    if field in schema.get("required", ()) or "const" in described:
        return True
    return "examples" in described and field not in _OF_MISTAKES_AND_ENDS


def _plain(schema: Json) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "format" in schema:
        return _FORMATS[schema["format"]]
    return {"boolean": True, "object": {}}.get(schema.get("type", ""), "")
