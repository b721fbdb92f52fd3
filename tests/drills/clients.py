"""The client in TypeScript, made from the contract: it finds the nearest haven, and still does when
the service is gone.

    python -m tests.drills.clients

`make clients` makes and compiles it; without Node this says so and ends. A demonstration answers.
Leaves with 1 when the client did not find what the service finds, with a connection or without.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

from tests.bench.report import begin, say, table
from tests.servers import ROOT, running

PROGRAM = ROOT / "docs" / "typescript" / "build" / "nearest.js"
PLACES = [(51.5133, -0.0886), (51.5079, -0.0987), (51.5197, -0.0981), (51.5101, -0.0762)]


def main() -> None:
    """Print what was found where, and leave with 1 unless it is what the service finds."""
    if not (which("node") and which("npm")):
        print("There is no Node.js here, so the client in TypeScript is not tried.")
        return
    begin()
    subprocess.run(["make", "--silent", "clients"], cwd=ROOT, check=True)
    wrong, rows = [], []
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        asked: list[tuple[tuple[float, float], str, list[str], dict[str, Any]]] = []
        with running(folder / "data", environment="demo") as service, service.client() as client:
            for lat, lon in PLACES:
                told = client.post("/v1/havens/nearest", json={"lat": lat, "lon": lon}).json()
                ids = [haven["id"] for haven in told["havens"]]
                found = nearest(service.url, folder, lat, lon, told["at"])
                asked.append(((lat, lon), told["at"], ids, found))
        for (lat, lon), at, ids, found in asked:
            offline = nearest(service.url, folder, lat, lon, at)
            for state, what in (("fetched", found), ("kept", offline)):
                told_of = [haven["id"] for haven in what["nearest"]]
                rows.append([f"{lat} {lon}", what["directory"], f"{len(told_of)}"])
                if not ids or told_of != ids or (what["directory"] == "kept") != (state == "kept"):
                    wrong.append(f"{lat} {lon}, {what['directory']}: {told_of}, not {ids}")
    table("The nearest havens, by TypeScript", ["place", "directory", "found"], rows)
    say("\n".join(wrong) or "As the service finds them, with it and without it.")
    sys.exit(bool(wrong))


def nearest(url: str, folder: Path, lat: float, lon: float, at: str) -> dict[str, Any]:
    """What the client finds; it keeps its directory in a folder."""
    command = ["node", str(PROGRAM), url, str(folder / "kept.json"), f"{lat}", f"{lon}", at]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


if __name__ == "__main__":
    main()
