"""Results as Markdown: on the screen, and in a file for whoever copies them into the README."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tests.processes import unwind_when_told_to_end

FILE = Path("data/bench.md")


def begin() -> None:
    """Start the file anew, with the date and the machine; told to end, leave nothing behind."""
    unwind_when_told_to_end()
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("")
    say(
        f"{date.today():%-d %B %Y}; {model}, {os.cpu_count()} cores, {memory:.0f} GiB; "  # noqa: DTZ011
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}."
    )


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One table; the first column is text, the others are figures."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        _line(head, widths),
        _line(
            ["-" * width if n == 0 else "-" * (width - 1) + ":" for n, width in enumerate(widths)],
            widths,
        ),
        *(_line(row, widths) for row in rows),
    ]
    say(f"**{title}**\n\n" + "\n".join(lines))


def say(text: str) -> None:
    """A paragraph."""
    print(text, end="\n\n", flush=True)
    with FILE.open("a") as file:
        file.write(text + "\n\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if n == 0 else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
