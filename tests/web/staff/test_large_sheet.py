"""A spreadsheet of 5,000 rows by clicking: mended, confirmed after a restart (`make journeys`)."""

import csv
import io
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import FilePayload, Locator, expect

from app.accounts.models import Role
from app.core.db import connected
from tests.servers import Service, running
from tests.web.staff.hands import PASSWORD, Hand, arrived, screen

ROWS = 5_000
WRONG = {
    "name": "",
    "category": "public house",
    "latitude": "north of the river",
    "opening_hours": "Mo-Fr whenever <b>",
    "step_free": "perhaps",
}
"""What stands in a bad cell of each column."""

EVERY = ROWS // 40
"""One row in so many is bad."""


def row(number: int) -> dict[str, str]:
    return {
        "reference": f"V-{number:06}",
        "name": f"House {number}",
        "category": "pub",
        "address": f"{number} Ladder Yard",
        "latitude": f"{51.40 + number // 100 * 0.002:.4f}",
        "longitude": f"{-0.20 + number % 100 * 0.002:.4f}",
        "opening_hours": "Mo-Su 11:00-23:00",
        "step_free": "yes",
    }


def sheet(rows: list[dict[str, str]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, row(0))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


@pytest.mark.journey
def test_a_large_sheet(chromium: Chromium, database_url: str, tmp_path: Path) -> None:
    rows = [row(number) for number in range(ROWS)]
    columns = list(WRONG)
    bad = {at: columns[at // EVERY % len(columns)] for at in range(7, ROWS, EVERY)}
    assert len(bad) == 40
    spoilt = [one | {bad[at]: WRONG[bad[at]]} if at in bad else one for at, one in enumerate(rows)]
    # The first line of a file names its columns.
    expected = [[str(at + 2), column, WRONG[column]] for at, column in bad.items()]

    folder = tmp_path / "data"
    folder.mkdir()
    with connected(database_url) as engine, screen(chromium, 360) as page:
        with running(folder, database_url) as service, service.client() as client:
            hand = arrived(page, engine, client, Role.OFFICER, "/console/bulk/venues/staged")
            chosen(hand, "The file", sheet(spoilt))
            expect(page.get_by_role("link", name="40 mistakes to mend first")).to_be_visible()
            shown = cells(page.locator("#mistakes tbody tr"))
            assert [line[:3] for line in shown] == expected
            assert all(reason for *_, reason in shown)
            hand.is_well()
            kept = hand.file("Mistakes (CSV)").read_text("utf-8-sig")
            assert [one["line"] for one in csv.DictReader(io.StringIO(kept))] == [
                line for line, *_ in expected
            ]
            chosen(hand, "The mended file", sheet(rows))
            expect(page.get_by_text("Nothing has been recorded.")).to_be_visible()
            assert figures(hand)["are new"] == "5,000"
            hand.is_well()
        # The page stays where it is while the service is started anew, at the same address.
        port = httpx.URL(service.url).port
        assert port
        with running(folder, database_url, port=port) as service:
            meanwhile(service, page.get_by_role("link", name="account-").inner_text(), rows[:1])
            hand.button("Record these changes")
            expect(page.get_by_text("The register has changed since you looked.")).to_be_visible()
            assert figures(hand) | {"are new": "4,999", "say what we have": "1"} == figures(hand)
            hand.is_well()
            hand.button("Record these changes")
            expect(page.get_by_text("Recorded on")).to_be_visible()
            assert figures(hand)["are new"] == "4,999"
            hand.is_well()
            print("5,000 rows, 40 of them bad", hand.counted())


def chosen(hand: Hand, label: str, content: bytes) -> None:
    """Choose a file, and send it."""
    file = FilePayload(name="venues.csv", mimeType="text/csv", buffer=content)
    hand.page.get_by_label(label).set_input_files(file)
    hand.button("Look at it")


def cells(rows: Locator) -> list[list[str]]:
    """What stands in the rows of a table."""
    read = "all => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    found: list[list[str]] = rows.evaluate_all(read)
    return found


def figures(hand: Hand) -> dict[str, str]:
    """The numbers at the head of the page of a file, by what they count."""
    labels = hand.page.locator(".sh-figs dt").all_inner_texts()
    return dict(zip(labels, hand.page.locator(".sh-figs b").all_inner_texts(), strict=True))


def meanwhile(service: Service, name: str, rows: list[dict[str, str]]) -> None:
    """Somebody else brings some rows into the register."""
    with service.client() as client:
        asked = {"username": name, "password": PASSWORD}
        token = client.post("/v1/auth/token", data=asked).json()["access_token"]
        sent = client.post(
            "/v1/admin/bulk/venues",
            content=sheet(rows),
            headers={"Content-Type": "text/csv", "Authorization": f"Bearer {token}"},
        )
        assert sent.is_success, sent.text
