"""Backup and health at a glance, on their page."""

import logging

import pytest

from app.accounts.models import Role
from tests.web.staff.conftest import Staff, text


def test_what_is_wrong_comes_first(staff: Staff) -> None:
    page = staff.browser(Role.ADMINISTRATOR).get("/console/installation")
    said = text(page).partition("as far as can be told at once")[2]
    assert said.index("To look at") < said.index("Backup") < said.index("Disk")
    assert "none was made from here" in said
    assert "havens backup FILE" in said


def test_to_look_is_not_logged(staff: Staff, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="alembic"):
        assert staff.browser(Role.ADMINISTRATOR).get("/console/installation").is_success
    assert caplog.messages == []


def test_who_has_another_role_is_told_so(staff: Staff) -> None:
    refused = staff.browser(Role.OFFICER).get("/console/installation")
    assert refused.status_code == 403
    assert "This page is not for your account" in text(refused)
