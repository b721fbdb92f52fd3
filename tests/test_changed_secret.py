"""The secret is changed while people work: nobody notices, and the journal stays whole."""

from pathlib import Path

from app.core.journal import Journal
from tests.accounts import SECRET, make_app, signed_in
from tests.servers import client_of, serving

NEW = "another secret that is long enough"
BUSINESSES = "/v1/admin/businesses"


def test_nobody_notices_that_the_secret_has_changed(sqlite_url: str, tmp_path: Path) -> None:
    before = make_app(sqlite_url, tmp_path)
    headers = signed_in(before, "officer", "administrator")
    with serving(before) as anybody, client_of(anybody.base_url, headers) as officer:
        for name in ("Ales Ltd", "Beers Ltd", "Ciders Ltd"):
            assert officer.post(BUSINESSES, json={"name": name}).status_code == 201
        page = officer.get(BUSINESSES, params={"limit": 1}).json()
        calendar = officer.post(
            "/v1/audit/calendar",
            headers={"If-Match": officer.get("/v1/audit/calendar").headers["ETag"]},
        ).json()["address"]
    before.state.journal.engine.dispose()

    after = make_app(sqlite_url, tmp_path, secret_key=NEW, old_secret_keys=[SECRET])
    with serving(after) as anybody, client_of(anybody.base_url, headers) as officer:
        assert officer.get(BUSINESSES, params={"after": page["next"]}).status_code == 200
        assert anybody.get(calendar).status_code == 200
        fresh = officer.post("/v1/auth/refresh").json()["access_token"]
        headers = {"Authorization": f"Bearer {fresh}"}
        answer = officer.post(BUSINESSES, json={"name": "Gins Ltd"}, headers=headers)
        assert answer.status_code == 201
    journal: Journal = after.state.journal
    assert journal.verify() is None
    assert journal.covered() == journal.length()
    journal.engine.dispose()
