"""Whatever is typed into any form is refused in words or kept, comes back, and is never markup."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from app.accounts.models import Role
from app.sheets.files import SheetName, template
from app.web.staff.operations import Operation, Operations
from tests.accounts import signed_in
from tests.servers import client_of
from tests.web.staff.conftest import Browser, Staff, text
from tests.web.staff.test_matrix import NO_PAGE

pytestmark = pytest.mark.journey

SCRIPT = "<script>alert(1)</script>"
STRANGE = f'"><img src=x> {SCRIPT} مقهى الفانوس 🏮👩\u200d🚒'
TYPED = re.compile(
    r'<(?:input class="govuk-input|textarea)(?![^>]*"password")[^>]*? name="([^"]+)"'
)
"""Where something is typed that comes back."""

ENDS_THIS = ("/v1/auth", "/v1/admin/accounts/{", "/v1/admin/sign-ins")
"""How paths begin of what could end the very sign-in that fills in forms."""


@pytest.fixture(scope="module")
def desk(staff: Staff) -> Iterator[httpx.Client]:
    """The API, with something in the register of nearly every kind."""
    headers = signed_in(staff.app, *Role)
    with client_of(staff.client.base_url, headers) as desk:
        for name in SheetName:
            kind = {"Content-Type": "text/csv"}
            sent = desk.post(f"/v1/admin/bulk/{name}", content=template(name), headers=kind)
            sent.raise_for_status()
        yield desk


@pytest.fixture(scope="module")
def browser(staff: Staff, desk: httpx.Client) -> Browser:
    return staff.browser(*Role)


def addresses(staff: Staff, desk: httpx.Client, *, forms: bool) -> Iterator[tuple[Operation, str]]:
    """The pages of what changes something, or of what does not, about the first of each kind."""
    operations = Operations.of(staff.app)
    lists = {one.path for one in operations.all if one.is_list}
    known: dict[str, str] = {}
    for one in operations.all:
        places = re.findall(r"\{(\w+)\}", one.path)
        for place in places:
            begin = one.path.partition(f"/{{{place}}}")[0]
            if place not in known and begin in lists:
                items = desk.get(begin, params={"limit": 1}).json()["items"]
                if items and "id" in items[0]:
                    known[place] = items[0]["id"]
        if (one.method != "GET") is forms and one.name not in NO_PAGE and known.keys() >= {*places}:
            yield one, one.address.format_map(known)


@pytest.mark.parametrize(
    "typed",
    [pytest.param(STRANGE, id="strange"), pytest.param("ab " * 1_666 + "ab", id="5,000")],
)
def test_every_form_survives(
    staff: Staff, desk: httpx.Client, browser: Browser, typed: str
) -> None:
    tried = 0
    for operation, address in addresses(staff, desk, forms=True):
        for kind in operation.kinds or [""]:
            page = browser.client.get(address, params={"kind": kind, "scheme": "safe_haven"})
            if "novalidate>" not in page.text or operation.path.startswith(ENDS_THIS):
                continue
            fields = browser.fields(page)
            sent = fields | dict.fromkeys(TYPED.findall(page.text), typed)
            answer = browser.client.post(address, data=sent)
            tried += 1
            assert answer.status_code < 500, (operation.name, text(answer))
            assert SCRIPT not in answer.text, operation.name
            if answer.status_code == 422 and sent != fields:
                assert "<title>" in answer.text
                assert re.search(r"<title>\d+ errors?: ", answer.text), operation.name
                assert typed in unescape(answer.text), operation.name
    assert tried > 35
    for operation, address in addresses(staff, desk, forms=False):
        page = browser.get(address)
        assert page.status_code < 500, operation.name
        assert SCRIPT not in page.text, operation.name
