"""The courses, and the roles of those who take them: data that the rest goes by."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class CourseKey(StrEnum):
    WAVE = "wave"
    ASK_FOR_ANGELA = "ask_for_angela"
    BYSTANDER = "bystander"
    MAKESAFE = "makesafe"
    SPIKING_AWARENESS = "spiking_awareness"
    SAFE_HAVEN_BRIEFING = "safe_haven_briefing"


@dataclass(frozen=True)
class Course:
    """What staff are trained in; it holds for `validity_months` where a venue has no other term.

    `initials` are what people say for a name that is too long for a heading.
    """

    key: CourseKey
    name: str
    validity_months: int = 12
    initials: str = ""

    @property
    def short_name(self) -> str:
        """What people call it."""
        return self.initials or self.name


COURSES: Mapping[str, Course] = MappingProxyType(
    {
        course.key: course
        for course in (
            Course(CourseKey.WAVE, "Welfare And Vulnerability Engagement (WAVE)", initials="WAVE"),
            Course(CourseKey.ASK_FOR_ANGELA, "Ask for Angela"),
            Course(CourseKey.BYSTANDER, "Bystander"),
            Course(CourseKey.MAKESAFE, "MakeSafe"),
            Course(CourseKey.SPIKING_AWARENESS, "Spiking awareness"),
            Course(CourseKey.SAFE_HAVEN_BRIEFING, "Safe Haven briefing"),
        )
    }
)


class StaffRole(StrEnum):
    """What somebody does at a venue; who they are is never recorded."""

    MANAGER = "manager"
    SUPERVISOR = "supervisor"
    BAR_STAFF = "bar_staff"
    DOOR_SUPERVISOR = "door_supervisor"
    FLOOR_STAFF = "floor_staff"
    RECEPTION = "reception"
    SECURITY = "security"
    OTHER = "other"
