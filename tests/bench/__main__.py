"""Measure the service: `make bench` does all but what has to be named.

Everything runs on this machine, in servers of its own and in temporary directories. Quote ratios:
machines differ, and are noisy.
"""

import argparse
from functools import partial

from tests.bench import (
    audit,
    growth,
    imports,
    on_foot,
    open_loop,
    pages,
    register,
    report,
    saturated,
    soak,
    staff,
    start,
)
from tests.bench.peers import compare

BENCHMARKS = {
    "peers": compare.main,
    "growth": growth.main,
    "start": start.main,
    "saturated": saturated.main,
    "open-loop": open_loop.main,
    "register": register.main,
    "audit": audit.main,
    "imports": imports.main,
    "pages": pages.main,
    "staff": staff.main,
}
NAMED = ("nearest", "on-foot", "soak")
"""`peers` without the peers, what needs an extract, and what takes a quarter of an hour."""


def main() -> None:
    """Run the benchmarks that are named, or all that need no naming."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="|".join((*BENCHMARKS, *NAMED)))
    parser.add_argument("--minutes", type=float, default=15, help="how long to soak")
    parser.add_argument("--part", type=float, default=1, help="how much of each file to import")
    parser.add_argument("--only", choices=imports.FILES, help="the one file to import")
    given = parser.parse_args()
    benchmarks = BENCHMARKS | {
        "imports": partial(imports.main, given.part, given.only),
        "nearest": partial(compare.main, peers=[]),
        "on-foot": on_foot.main,
        "soak": partial(soak.main, given.minutes),
    }
    if unknown := set(given.names) - set(benchmarks):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    report.begin()
    for name in given.names or BENCHMARKS:
        benchmarks[name]()


if __name__ == "__main__":
    main()
