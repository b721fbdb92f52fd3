"""The schemes a venue can stand in, as data that the rules go by."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from app.core.settings import UnsafeSettings, settings


class SchemeKey(StrEnum):
    SAFE_HAVEN = "safe_haven"
    ASK_FOR_ANGELA = "ask_for_angela"
    SAFETY_THIRST = "safety_thirst"
    WOMENS_NIGHT_SAFETY_CHARTER = "womens_night_safety_charter"


LISTS_PUBLICLY = SchemeKey.SAFE_HAVEN
"""The scheme in which a venue must stand to be shown to the public."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Prerequisite(_Data):
    """What an award needs: somebody whose training is in date, in one course or (None) in any."""

    title: str
    course: str | None = None


class Scheme(_Data):
    """What a scheme asks for and how long its awards last.

    `months` is how long an award is in force, None for no end; one without an end is reviewed
    every `review_months`. `criteria` are what an assessment goes through, by key; a seasonal
    scheme has them, and its `grades`, as what a new season starts from. `assessed_by_licensing`
    lets the licensing team record assessments too.
    """

    key: SchemeKey
    name: str
    certificate_prefix: str
    months: int | None = None
    review_months: int | None = None
    criteria: dict[str, str] = {}
    prerequisites: tuple[Prerequisite, ...] = ()
    grades: tuple[str, ...] = ()
    seasonal: bool = False
    assessed_by_licensing: bool = False


_USUAL = (
    Scheme(
        key=SchemeKey.SAFE_HAVEN,
        name="Safe Haven",
        certificate_prefix="SH",
        criteria={
            "water": "Drinking water",
            "electricity": "Electricity",
            "connection": "Wi-fi or a landline",
            "phone_charging": "A place to charge a phone",
            "seat": "Somewhere to sit",
            "toilet": "A toilet",
            "trained_staff_on_duty": "At least one trained member of staff on duty",
            "suitability": "The suitability check is passed",
        },
        prerequisites=(Prerequisite(title="At least one trained member of staff"),),
    ),
    Scheme(
        key=SchemeKey.ASK_FOR_ANGELA,
        name="Ask for Angela",
        certificate_prefix="AFA",
        months=12,
        prerequisites=(
            Prerequisite(
                title="At least one member of staff with Ask for Angela training in date",
                course="ask_for_angela",
            ),
        ),
    ),
    Scheme(
        key=SchemeKey.SAFETY_THIRST,
        name="Safety Thirst",
        certificate_prefix="ST",
        months=12,
        criteria={
            "crime_and_disorder": "Crime and disorder",
            "public_safety": "Public safety",
            "public_nuisance": "Public nuisance",
            "children": "Protection of children from harm",
            "counter_terrorism": "Counter terrorism",
            "drink_spiking": "Drink spiking",
            "womens_safety": "Women's safety and sexual harassment",
            "suicide_prevention": "Suicide prevention",
        },
        grades=("commended", "highly_commended"),
        seasonal=True,
        assessed_by_licensing=True,
    ),
    Scheme(
        key=SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER,
        name="Women's Night Safety Charter",
        certificate_prefix="WNSC",
        review_months=12,
    ),
)


@cache
def schemes() -> Mapping[SchemeKey, Scheme]:
    """Every scheme as it is run here.

    Raises `UnsafeSettings` when the settings speak of a scheme that does not exist.
    """
    ours = {scheme.key: scheme for scheme in _USUAL}
    _change(ours, SchemeKey.SAFE_HAVEN, {"months": settings().safe_haven_months})
    for key, changes in settings().schemes.items():
        if key not in list(SchemeKey):
            raise UnsafeSettings(f"HAVENS_SCHEMES: there is no scheme {key}")
        _change(ours, SchemeKey(key), changes.model_dump(exclude_unset=True))
    return MappingProxyType(ours)


def _change(ours: dict[SchemeKey, Scheme], key: SchemeKey, changes: dict[str, object]) -> None:
    ours[key] = Scheme.model_validate(ours[key].model_dump() | changes)
