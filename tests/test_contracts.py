"""A few made-up requests to every operation; `python -m tests.drills.contracts` sends 50,000."""

from pathlib import Path
from shutil import copyfile

import pytest

from app.accounts.models import Role
from tests.contracts import try_contract
from tests.servers import add_venue, serving_directory


@pytest.mark.drill
def test_made_up_requests_are_answered_by_the_contract(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{copyfile(sqlite_template, tmp_path / 'havens.sqlite')}"
    add_venue(url)
    data = tmp_path / "data"
    with serving_directory(data, url) as client:
        tried = try_contract(
            "full.json",
            str(client.base_url),
            url,
            data,
            roles=tuple(Role),
            phases="fuzzing,stateful",
            examples=1,
        )
    assert not tried.report, tried.report
    assert tried.cases > 0
