"""Both published contracts, tried with made-up requests by nobody and by every role.

    python -m tests.drills.contracts [--examples 20] [--seed 0]

Schemathesis makes up so many requests for each operation, and follows from what one answer says to
the next request. A demonstration answers, on each kind of database in turn. Leaves with 1 when an
answer was a 5xx, had a status or a form that the contract does not speak of, or never came.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from app.accounts.models import Role
from app.core.db import migrate
from tests.bench.report import begin, say, table
from tests.contracts import try_contract
from tests.databases import each_kind
from tests.servers import running

WHO: list[tuple[str, tuple[Role, ...]]] = [
    ("public.json", ()),
    ("full.json", ()),
    *(("full.json", (role,)) for role in Role),
    ("full.json", tuple(Role)),
]


def main() -> None:
    """Print how much was tried, and leave with 1 unless all was as the contracts say."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.contracts")
    parser.add_argument("--examples", type=int, default=20, help="of each operation and phase")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begin()
    rows, wrong = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-drill-"))
        for (kind, url), turn in zip(
            stack.enter_context(each_kind(folder)).items(), cycle((0, 1)), strict=False
        ):
            migrate(url)
            data = Path(folder, kind)
            data.mkdir()
            with running(data, url, environment="demo") as service:
                # Each database has half of those who ask; who may do all, both.
                for name, roles in [*WHO[turn:-1:2], WHO[-1]]:
                    tried = try_contract(
                        name,
                        service.url,
                        url,
                        data,
                        roles=roles,
                        environment="demo",
                        examples=given.examples,
                        seed=given.seed,
                    )
                    who = ", ".join(roles) or "nobody"
                    rows.append(
                        [kind, name, who, f"{tried.cases:,}", "no" if tried.report else "yes"]
                    )
                    wrong += [f"{kind}, {name}, {who}:\n{tried.report}"] * bool(tried.report)
                faults = [line for line in service.log.splitlines() if " ERROR " in line]
                wrong += [f"{kind}, the log: {line}" for line in faults[:5]]
    table("Contracts", ["database", "contract", "asked by", "requests", "as it says"], rows)
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
