"""Coverage on a map: wards with their figures, as GeoJSON."""

from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlmodel import Session, select

from app.audit.frame.question import View
from app.audit.frame.report import About, about
from app.audit.reports.coverage import SOURCES, By, Covered, InScheme, Training
from app.venues.models import Ward


class WardFigures(BaseModel):
    """What a map can show of a ward."""

    code: str = Field(examples=["E05009288"])
    name: str = Field(examples=["Aldersgate"])
    courses: list[Training]
    schemes: list[InScheme]


class WardFeature(BaseModel):
    type: Literal["Feature"] = "Feature"
    id: str = Field(description="The ward's code", examples=["E05009288"])
    geometry: dict[str, Any] = Field(
        description="A polygon or multipolygon in WGS 84",
        examples=[
            {"type": "Polygon", "coordinates": [[[-0.1, 51.5], [-0.09, 51.5], [-0.1, 51.5]]]}
        ],
    )
    properties: WardFigures


class WardFeatures(BaseModel):
    """Every ward with its boundary and its figures. Boundaries are today's."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    about: About
    features: list[WardFeature]


def ward_features(session: Session, view: View) -> WardFeatures:
    """The wards that a report is about."""
    covered = Covered.read(session, view, [view.as_at])
    groups = {
        group["group"]: (group["name"], venues)
        for group, venues in covered.groups(session, 0)
        if group["by"] is By.WARD
    }
    return WardFeatures(
        about=about(session, "Coverage by ward", view, SOURCES),
        features=[
            WardFeature(
                id=ward.code,
                geometry=ward.boundary,
                properties=WardFigures(
                    code=ward.code,
                    name=name,
                    courses=list(covered.training(0, venues)),
                    schemes=list(covered.in_schemes(0, venues)),
                ),
            )
            for ward in session.exec(select(Ward).order_by(Ward.code))
            if ward.code in groups
            for name, venues in [groups[ward.code]]
        ],
    )
