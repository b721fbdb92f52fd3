"""Canaries in every part of every request, at every log level and in both formats.

    python -m tests.drills.canaries

A demonstration, so that there is something to ask about. At the level that tells most each field is
tried by itself, too. Leaves with 1 when a secret, a position or an address of e-mail was found
where it doesn't belong, when there was a fault, or when a line of the log was no JSON that should
have been.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import httpx

from tests.bench.report import begin, say, table
from tests.canaries import asks, contract, left_behind, sign_in_to, wrong
from tests.servers import running
from tests.test_matrix import PUBLIC

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


def existing(client: httpx.Client, signed_in: Mapping[str, str]) -> dict[str, str]:
    """A record of each kind that there is, by the path of its list."""
    found = {}
    for path in contract()["paths"]:
        begin, _, rest = path.partition("/{")
        if rest and begin not in found:
            answer = client.get(begin, headers=dict(signed_in))
            items = answer.json() if answer.status_code == 200 else {}
            items = items.get("items") or items.get("havens") or []
            if items and "id" in items[0]:
                found[begin] = str(items[0]["id"])
    return found


def main() -> None:
    """Print how much was sent and what was found, and leave with 1 unless that is nothing."""
    begin()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    rows, found = [], []
    for form, level in product(FORMATS, LEVELS):
        met: list[str] = []
        with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
            data = Path(folder) / "data"
            data.mkdir()
            with running(data, environment="demo", log_level=level, log_format=form) as service:
                everybody = sign_in_to(data, "demo")
                with service.client() as client:
                    ids = existing(client, everybody)
                    sent = 0
                    for ask in asks(PUBLIC, ids, each=level == "debug"):
                        sent += 2
                        met += wrong(client, ask, everybody)
                met += [f"left in {where}" for where in left_behind(service, everybody)]
                lines = [line for line in service.log.splitlines() if "Sign in as" not in line]
        if form == "json":
            met += [f"no JSON: {line[:80]}" for line in lines if not _is_json(line)]
        found += [f"{form}, {level}: {what}" for what in met]
        rows.append([form, level, f"{len(ids)}", f"{sent:,}", f"{len(lines)}", f"{len(met)}"])
    table(
        "Canaries through every route",
        ["format", "level", "kinds of records", "requests", "lines logged", "wrong"],
        rows,
    )
    say("\n".join(found[:30]) or "As promised.")
    sys.exit(bool(found))


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


if __name__ == "__main__":
    main()
