"""Chromium to test pages in; `python -m tests.browsers` says whether there is one."""

import shutil
import sys

NO_CHROMIUM = (
    "Chromium is not installed, so no page is tested in a browser "
    "(on Debian and Ubuntu: apt-get install chromium)"
)

# As root it starts only without its sandbox; and it must ask nobody but the service for anything.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def find_chromium() -> str | None:
    """The program, if there is one."""
    return shutil.which("chromium")


if __name__ == "__main__":
    found = find_chromium()
    if found is None:
        sys.exit(f"{NO_CHROMIUM}.")
    print(f"Chromium: {found}")
