"""The published contracts, tried by Schemathesis on a running service."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tests.servers import ROOT

CHECKS = (
    *("not_a_server_error", "documented_status", "content_type_conformance"),
    *("response_schema_conformance", "response_headers_conformance"),
)


class Tried(NamedTuple):
    """How many requests were made up and sent, and what was wrong with the answers."""

    cases: int
    report: str
    """Empty when nothing was."""


def try_contract(
    name: str,
    url: str,
    database_url: str,
    data_dir: Path,
    *,
    roles: Collection[str] = (),
    environment: str = "production",
    phases: str = "examples,coverage,fuzzing,stateful",
    examples: int,
    seed: int = 0,
) -> Tried:
    """Hold a service to one of the published contracts, asked by somebody with such roles.

    `examples` are those of each operation in a phase; the service's secret is that of all tests.
    """
    with tempfile.TemporaryDirectory(prefix="havens-contract-") as folder:
        report = Path(folder, "report.json")
        ended = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("st")), "run", ROOT / "openapi" / name),
                *("--url", url, "--checks", ",".join(CHECKS), "--phases", phases),
                *("--max-examples", str(examples), "--seed", str(seed), "--request-timeout", "60"),
                # On a busy machine it would take itself for too slow.
                *("--suppress-health-check", "all", "--generation-database", "none"),
                *("--warnings", "off", "--no-color"),
                *("--report", "json", "--report-json-path", report),
            ],
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.contract_hooks",
                "CONTRACT_DATABASE": database_url,
                "CONTRACT_DATA_DIR": str(data_dir),
                "CONTRACT_ENVIRONMENT": environment,
                "CONTRACT_ROLES": " ".join(roles),
            },
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        cases = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Tried(cases, ended.stdout if ended.returncode else "")
