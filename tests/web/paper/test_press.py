"""Documents are made once, kept for a while, and one that fails keeps nobody from the next."""

import anyio
import pytest

from app.web.paper import press
from app.web.paper.press import NotPrinted, Press, Sheet
from app.web.paper.qr import qr_code

POSTER = Sheet(
    "poster.typ",
    {
        "language": "en",
        "direction": "ltr",
        "ground": "white",
        "words": dict.fromkeys(
            ("title", "lead", "angela", "ask", "offer", "qr", "survey", "survey_qr", "sample"),
            "Words",
        ),
        "unreviewed": "",
        "name": "The Lantern",
        "with_angela": False,
        "qr": qr_code("https://havens.example"),
        "survey": qr_code("https://havens.example/survey"),
        "is_sample": False,
    },
    made_at=1_700_000_000,
)


class _Desk:
    """Counts how often it is asked for what is to be printed."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.asked = 0

    def compose(self) -> Sheet:
        self.asked += 1
        return self.sheet


def test_a_document_is_made_once_however_many_ask_at_the_same_time() -> None:
    desk, made = _Desk(POSTER), []

    async def ask(press: Press) -> None:
        made.append(await press.printed("poster", desk.compose))

    async def all_ask() -> None:
        press = Press()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask, press)

    anyio.run(all_ask)
    assert desk.asked == 1
    assert len(made) == 5
    assert len({*made}) == 1
    assert made[0].startswith(b"%PDF-")


def test_the_same_document_is_the_same_bytes() -> None:
    first, second = (anyio.run(Press().printed, "poster", lambda: POSTER) for _ in range(2))
    assert first == second


def test_only_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press, "KEPT", 2)
    desk = _Desk(POSTER)

    async def ask() -> None:
        press = Press()
        for key in (1, 2, 1, 3, 3, 2, 1):
            await press.printed(key, desk.compose)

    anyio.run(ask)
    assert desk.asked == 4, "1, 2 and 3, and 1 again, for which there was no room any more"


def test_what_cannot_be_set_is_said_and_the_next_is_printed() -> None:
    async def ask() -> None:
        press = Press()
        with pytest.raises(NotPrinted):
            await press.printed("broken", lambda: Sheet("poster.typ", {}, 0))
        assert await press.printed("poster", lambda: POSTER)

    anyio.run(ask)


def test_who_comes_when_too_many_wait_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press, "MOST_WAITING", 0)
    with pytest.raises(NotPrinted):
        anyio.run(Press().printed, "poster", lambda: POSTER)
