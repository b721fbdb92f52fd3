"""Each operation of the API has a page, for the roles that may use it and for nobody else."""

import re
from uuid import uuid4

import pytest

from app.accounts.models import Role
from app.web.staff.operations import Operation, Operations
from tests.web.staff.conftest import Staff

NO_PAGE = {
    "sign_in": "its page is /sign-in",
    "second_step": "its page is /sign-in/code",
    "sign_out": "its page is the button in the head of every page",
    "refresh": "tokens are for programs; pages go by a cookie",
}
"""What has no page made from it, and why."""


def address(operation: Operation) -> str:
    return re.sub(r"\{\w+\}", lambda _: str(uuid4()), operation.address)


def test_each_operation_has_an_address_of_its_own(staff: Staff) -> None:
    operations = Operations.of(staff.app)
    addresses = [one.address for one in operations.all]
    assert len(set(addresses)) == len(addresses) > 90
    for one in operations.all:
        found = operations.at(one.address.replace("{", "").replace("}", ""))
        assert found is not None
        assert found.operation.address.count("/") == one.address.count("/")


@pytest.mark.parametrize("role", Role)
def test_pages_are_for_those_who_may_do_it(staff: Staff, role: Role) -> None:
    browser = staff.browser(role)
    wrong = {}
    for one in Operations.of(staff.app).all:
        status = browser.get(address(one)).status_code
        if (status == 403) != (role not in one.roles) and one.name not in NO_PAGE:
            wrong[one.name] = status
        assert status < 500, one.name
    assert wrong == {}


def test_nobody_sees_a_page_without_signing_in(staff: Staff) -> None:
    stranger = staff.browser()
    for one in Operations.of(staff.app).all:
        answer = stranger.get(address(one))
        assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?"), one.name


def test_the_api_takes_no_cookie(staff: Staff) -> None:
    browser = staff.browser(Role.OFFICER)
    assert browser.get("/console").status_code == 200
    assert browser.get("/v1/admin/venues").status_code == 401
    assert browser.client.post("/v1/auth/sign-out").status_code == 401
