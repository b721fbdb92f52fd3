"""Every form, found by the API's operations, survives whatever happens to it and whatever is typed.

A form is got from one process of the service and sent to another, as after a restart. A new
operation has its form tried here by itself; one that can't be sent with what its contract gives as
examples is named below, with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.web.staff.operations import Operation
from tests.web.staff.conftest import Browser, Form, text
from tests.web.staff.desk import Desk, desk_of

SCRIPT = "<script>alert(1)</script>"
STRANGE = f'"><img src=x> {SCRIPT} مقهى الفانوس 🏮👩\u200d🚒'

FEW = ("add_venue", "put_venue", "declare_headcount", "void_headcount", "add_decision")
"""The operations whose forms are tried each time."""

TYPED = {
    "add_venue": {"name": "The Blue Door", "location.lat": "51.52", "location.lon": "-0.07"},
    "put_hours": {"by": "text", "text": "24/7"},
    "preview_hours": {"text": "24/7"},
    "post_exception": {
        "first": "2030-01-01",
        "last": "2030-01-02",
        "times.0.opens": "10:00",
        "times.0.closes": "12:00",
    },
    "post_closure": {"from": "2030-01-01T10:00", "until": "2030-01-01T12:00"},
    "add_business": {"name": "Blue Door Ltd"},
    "record_training_session": {"attendances.0.new": "2"},
    "add_attendance": {"new": "2"},
}
"""What has to be typed where the examples of the contract alone won't do."""

UNSENT = {
    "register_prospect": "the venue is registered already",
    "end_business": "it runs a venue that is active",
    "resume_business": "it is not closed",
    "add_decision": "not every step follows from where the venue stands",
}
"""What is refused as the register is, and why; it comes back with all that was typed."""

AGAIN = {"reset_second_factor": "to take away what is not there changes nothing"}
"""What may be recorded again when it is sent again, and why."""

EDITS = {"put_venue", "put_business", "put_contact", "edit_season"}
"""What is edited as a whole, so that both states are shown side by side."""


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: Path) -> Iterator[Desk]:
    with desk_of(tmp_path, sqlite_template) as desk:
        yield desk


def filled(desk: Desk, operation: Operation, form: Form) -> dict[str, str]:
    """A form with all that has to be filled in, by the examples of the contract."""
    examples = dict(_examples(operation.asked))
    needed = set(_needed(operation.asked))
    venue = desk.api.get("/v1/admin/venues", params={"limit": 1}).json()["items"][0]
    made = dict(form.fields)
    for key in [*form.choices, *form.fields]:
        last = key.rpartition(".")[2]
        is_first_row = re.search(r"\.[1-9]", key) is None
        if made.get(key) or not is_first_row:
            continue
        if last == "venue_id":
            made[key] = venue["name"]
        elif last not in needed:
            continue
        elif key in form.choices:
            made[key] = form.choices[key][0]
        else:
            made[key] = str(examples.get(last, "Words"))
    return made | TYPED.get(operation.name, {})


def _examples(schema: Any) -> Iterator[tuple[str, Any]]:
    for part in _parts(schema):
        for key, one in part.get("properties", {}).items():
            if some := one.get("examples"):
                yield key, some[0] if not isinstance(some[0], list) else some[0][0]


def _needed(schema: Any) -> Iterator[str]:
    for part in _parts(schema):
        yield from part.get("required", ())


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for one in schema.values():
            yield from _parts(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _parts(one)


@dataclass(frozen=True)
class Tried:
    """A form that is filled in, and what becomes of it."""

    desk: Desk
    operation: Operation
    where: str
    typed: dict[str, str]

    def send(self, browser: Browser, **more: str) -> httpx.Response:
        return browser.client.post(self.where, data=self.typed | more)

    def counts_only_from_its_own_page(self) -> None:
        """Without its token, with another's, or from another site it changes nothing."""
        before = self.desk.length
        browser = self.desk.second
        answers = [self.send(browser, token=""), self.send(browser, token="another")]
        answers += [
            browser.client.post(self.where, data=self.typed, headers=header)
            for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"})
        ]
        assert {one.status_code for one in answers} == {403}, self.operation.name
        assert self.desk.length == before, self.operation.name

    def outlasts_the_sign_in(self) -> None:
        """Sent when the sign-in has ended, it comes back with all that was typed, and no sooner
        is anything done."""
        before = self.desk.length
        ended = self.send(self.desk.stranger)
        assert ended.status_code == 401, self.operation.name
        assert "What you typed is kept, and has not been sent" in text(ended)
        held = hidden(ended)
        again = self.desk.second.client.post("/sign-in/again", data=held)
        assert "You are signed in again" in text(again)
        back = self.desk.second.client.post(held["back"], data=hidden(again) | {"again": "yes"})
        assert back.status_code == 200, self.operation.name
        came_back = self.desk.second.form(back).fields
        kept = {key: text for key, text in self.typed.items() if key != "token"}
        assert {key: came_back.get(key, "") for key in kept} == kept, self.operation.name
        assert held["back"] == self.where
        assert self.desk.length == before, self.operation.name

    def does_its_work_once(self) -> str:
        """Sent twice, it counts once, and never is an error of ours; why it was refused, if so."""
        answers = [self.send(self.desk.second)]
        after = self.desk.length
        answers.append(self.send(self.desk.first))
        assert max(one.status_code for one in answers) < 500, self.operation.name
        if self.operation.name not in AGAIN:
            assert self.desk.length == after, self.operation.name
        first, second = answers
        if first.status_code >= 400:
            return text(first).partition("There ")[2][:300]
        if second.status_code == first.status_code:
            assert second.headers.get("location") == first.headers.get("location")
        elif second.status_code == 409:
            assert "This has changed while you were typing" in text(second)
        else:
            assert second.status_code == 422
        return ""

    def overwrites_nothing_unseen(self) -> None:
        """Whoever saw an older state is shown what differs, then chooses."""
        seen = self.desk.first.fields(self.desk.first.get(self.where))
        key = next(key for key in ("email", "name") if key in seen)
        theirs, ours = seen | {key: "one@words.example"}, seen | {key: "two@words.example"}
        client = self.desk.second.client
        assert client.post(self.where, data=theirs).status_code == 303
        late = client.post(self.where, data=ours)
        assert late.status_code == 409
        for said in ("As it is now", "What you typed", theirs[key], ours[key]):
            assert said in text(late), said
        chosen = self.desk.second.fields(late)
        assert chosen[key] == ours[key]
        assert client.post(self.where, data=chosen).status_code == 303


def hidden(page: httpx.Response) -> dict[str, str]:
    """What the last form of a page holds unseen."""
    form = Form()
    form.feed(page.text[page.text.rindex("<form") :] if "again" in page.text else page.text)
    return {key: one for key, one in form.fields.items() if key not in ("username", "password")}


def try_all(desk: Desk, names: tuple[str, ...] = ()) -> None:
    refused: dict[str, str] = {}
    wrong = []
    for operation, where, form in desk.forms(names):
        tried = Tried(desk, operation, where, filled(desk, operation, form))
        try:
            tried.counts_only_from_its_own_page()
            tried.outlasts_the_sign_in()
            if why := tried.does_its_work_once():
                refused[operation.name] = why
            elif operation.name in EDITS:
                tried.overwrites_nothing_unseen()
        except AssertionError as error:
            wrong.append(f"{operation.name}: {error}")
    assert wrong == []
    expected = {*UNSENT} & {*names} if names else {*UNSENT}
    assert refused.keys() == expected, [
        f"{name}: {refused.get(name)}" for name in refused.keys() ^ expected
    ]


def test_some_forms(desk: Desk) -> None:
    try_all(desk, FEW)


@pytest.mark.journey
def test_every_form(desk: Desk) -> None:
    try_all(desk)


@pytest.mark.journey
@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(STRANGE, id="strange"),
        pytest.param("ab " * 1_666 + "ab", id="5,000"),
        pytest.param("🏮" * 5_000, id="5,000 lanterns"),
    ],
)
def test_whatever_is_typed_comes_back(desk: Desk, typed: str) -> None:
    tried = 0
    for operation, where, form in desk.forms():
        sent = form.fields | dict.fromkeys(form.typed, typed)
        answer = desk.first.client.post(where, data=sent)
        tried += 1
        assert answer.status_code < 500, (operation.name, text(answer))
        assert answer.status_code != 413, operation.name
        assert SCRIPT not in answer.text, operation.name
        if answer.status_code == 422 and form.typed:
            assert re.search(r"<title>\d+ errors?: ", answer.text), operation.name
            assert typed in unescape(answer.text), operation.name
    assert tried > 35
    for operation, address in desk.addresses(forms=False):
        page = desk.first.get(address)
        assert page.status_code < 500, operation.name
        assert SCRIPT not in page.text, operation.name
