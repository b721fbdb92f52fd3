"""The codes on certificates, as the database keeps them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from app.core.db import Instant


class CertificateCode(SQLModel, table=True):
    """The code of an award, by which anybody can check its certificate. It never changes."""

    __tablename__ = "certificate_code"
    __secret__ = ("code",)

    decision_id: UUID = Field(foreign_key="decision.id", primary_key=True)
    code: str = Field(unique=True, max_length=12)
    made_at: datetime = Field(sa_type=Instant)
