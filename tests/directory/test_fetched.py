"""A host without a database: it takes up what another one publishes, if that is to be believed."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, delete, update
from typer.testing import CliRunner

from app import publish_cli
from app.cli import cli
from app.core.db import write_session
from app.core.journal import Journal
from app.core.settings import Settings
from app.core.trouble import Trouble
from app.directory.fetched import KEPT, Fetched, NotFetched, directory_of
from app.directory.live import Directory
from app.directory.publication import NAME, Publication, Refused, new_keys
from app.directory.publish import publish
from app.directory.published import Published
from app.directory.read_side import NotReady
from app.directory.snapshot import CURRENT
from app.doctor import Severity, examine
from app.http.conditional import etag
from app.schemes.models import Decision
from app.venues.models import DirectoryState, Venue
from tests.applications import application
from tests.factories import make_venue, utc
from tests.servers import PATIENCE_SECONDS, ROOT, SECRET, serving, settings_for, until

NOW = utc("2027-07-13T12:20")
PRIVATE, PUBLIC = new_keys()
TOKEN = {"Authorization": "Bearer x"}
NEAREST = "/v1/havens/nearest?lat=51.5155&lon=-0.0922"


@dataclass
class Installation:
    """A host that publishes into a store, and one that fetches from it, by one clock."""

    engine: Engine
    folder: Path
    now: float = NOW
    key: str = PRIVATE
    keys: list[str] = field(default_factory=lambda: [PUBLIC])
    builder: Directory = field(init=False)
    host: Fetched = field(init=False)

    def __post_init__(self) -> None:
        self.store.mkdir()
        self.data.mkdir()
        url = self.engine.url.render_as_string(hide_password=False)
        settings = settings_for(self.data, url, publishing_key=self.key)
        journal = Journal.of(settings, self.engine)
        self.builder = directory_of(settings, journal, lambda: self.now)
        self.published = Published(settings, self.builder)
        self.start()

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def data(self) -> Path:
        return self.folder / "builder"

    @property
    def hosts(self) -> Path:
        return self.folder / "host"

    def start(self) -> None:
        """Start the host anew, with what is on its disk."""
        self.hosts.mkdir(exist_ok=True)
        settings = settings_for(
            self.hosts, directory_url="https://a.example/store", directory_keys=self.keys
        )
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        self.host = Fetched(settings, self.engine, lambda: self.now, http)
        self.host.take_up()

    def publish(self) -> None:
        self.builder.refresh()
        self.published.write(self.store)

    def follow(self) -> None:
        """Publish what there is, and take it up."""
        self.publish()
        self.host.refresh()

    @property
    def names(self) -> list[str]:
        """What the host shows."""
        document = json.loads(self.host.document("json").body)
        return sorted(haven["name"] for haven in document["havens"])

    def put(self, key: str = PRIVATE, **changes: object) -> None:
        """Publish something else than what is there, signed with a key."""
        there = Publication.read((self.store / NAME).read_bytes(), [PUBLIC])
        (self.store / NAME).write_bytes(there.model_copy(update=changes).signed(key))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the store answers."""
        file = self.store / request.url.path.removeprefix("/store/")
        if not file.exists():
            return httpx.Response(404)
        content = file.read_bytes()
        tag = {"ETag": etag(content)}
        if request.headers.get("If-None-Match") == tag["ETag"]:
            return httpx.Response(304, headers=tag)
        return httpx.Response(200, headers=tag, content=content)


@pytest.fixture
def installation(sqlite_engine: Engine, tmp_path: Path) -> Installation:
    """With one haven, which the host shows."""
    make_venue(sqlite_engine, name="The Lantern")
    made = Installation(sqlite_engine, tmp_path)
    made.follow()
    return made


def test_it_shows_what_is_published_and_every_change_of_it(installation: Installation) -> None:
    ours, theirs = installation.host, installation.builder
    assert ours.document("json").body == theirs.document("json").body
    assert (ours.age_seconds, ours.is_degraded) == (0, False)
    make_venue(installation.engine, name="The Mitre")
    installation.follow()
    assert installation.names == ["The Lantern", "The Mitre"]
    with write_session(installation.engine) as session:
        session.connection().execute(delete(Decision))
    installation.follow()
    assert installation.names == []


def test_its_age_counts_from_when_the_publisher_was_sure(installation: Installation) -> None:
    installation.now += 3
    installation.host.refresh()
    assert (installation.host.age_seconds, installation.host.is_degraded) == (3, False)
    installation.now += 97
    with pytest.raises(NotFetched, match="not been confirmed"):
        installation.host.refresh()
    assert (installation.host.age_seconds, installation.host.is_degraded) == (100, True)
    installation.follow()
    assert (installation.host.age_seconds, installation.host.is_degraded) == (0, False)


def test_it_goes_on_without_the_publisher_and_starts_without_it(installation: Installation) -> None:
    away = shutil.move(installation.store, installation.folder / "away")
    installation.now += 3600
    for start in (False, True):
        if start:
            installation.start()
        with pytest.raises(NotFetched, match=r"at a\.example can't be had: status 404"):
            installation.host.refresh()
        assert installation.names == ["The Lantern"]
        assert installation.host.age_seconds == 3600
        assert installation.host.is_degraded
    shutil.move(away, installation.store)
    make_venue(installation.engine, name="The Mitre")
    installation.follow()
    assert installation.names == ["The Lantern", "The Mitre"]
    assert not installation.host.is_degraded


def altered(installation: Installation) -> None:
    document = (installation.store / NAME).read_bytes()
    (installation.store / NAME).write_bytes(document.replace(b'"version":', b'"version":9'))


def the_new_file(installation: Installation) -> Path:
    there = Publication.read((installation.store / NAME).read_bytes(), [PUBLIC])
    return installation.store / there.files[CURRENT].checksum


def damaged(installation: Installation) -> None:
    file = the_new_file(installation)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def longer(installation: Installation) -> None:
    with the_new_file(installation).open("ab") as file:
        file.write(b"more")


def shorter(installation: Installation) -> None:
    file = the_new_file(installation)
    file.write_bytes(file.read_bytes()[:-1])


def of_another_format(installation: Installation) -> None:
    there = Publication.read((installation.store / NAME).read_bytes(), [PUBLIC])
    content = the_new_file(installation).read_bytes().replace(b"directory 5", b"directory 9", 1)
    checksum = hashlib.sha256(content).hexdigest()
    (installation.store / checksum).write_bytes(content)
    file = there.files[CURRENT].model_copy(update={"checksum": checksum})
    installation.put(files={CURRENT: file})


LIES: list[tuple[Callable[[Installation], object], str]] = [
    (altered, "signed with none of"),
    (lambda one: one.put(key=new_keys()[0]), "signed with none of"),
    (lambda one: (one.store / NAME).write_bytes(b"\xff\x00"), "signed with none of"),
    (lambda one: (one.store / NAME).write_bytes(b"x" * 100_000), "longer than it should be"),
    (lambda one: one.put(database="another"), "of another database"),
    (lambda one: one.put(version=1), "older than what is here"),
    (lambda one: one.put(confirmed_at=int(NOW) + 3600), "a clock is wrong"),
    (damaged, "damaged"),
    (longer, "longer than it should be"),
    (shorter, "damaged"),
    (of_another_format, "another version of this service"),
    (lambda one: the_new_file(one).unlink(), "status 404"),
]


@pytest.mark.parametrize(("lie", "reason"), LIES, ids=[reason for _, reason in LIES])
def test_what_is_not_to_be_believed_is_not_taken(
    installation: Installation, lie: Callable[[Installation], object], reason: str
) -> None:
    make_venue(installation.engine, name="The Mitre")
    installation.now += 20
    installation.publish()
    right = {path: path.read_bytes() for path in installation.store.iterdir()}
    lie(installation)
    for _ in range(2):
        with pytest.raises(Trouble, match=reason):
            installation.host.refresh()
        assert installation.names == ["The Lantern"]
        assert installation.host.is_degraded
        installation.start()
    for path, content in right.items():
        path.write_bytes(content)
    installation.host.refresh()
    assert installation.names == ["The Lantern", "The Mitre"]
    assert not installation.host.is_degraded


def test_what_a_cache_still_has_is_passed_over(installation: Installation) -> None:
    before = (installation.store / NAME).read_bytes()
    installation.now += 8
    installation.follow()
    (installation.store / NAME).write_bytes(before)
    installation.host.refresh()
    assert (installation.host.age_seconds, installation.host.is_degraded) == (0, False)


def test_a_database_that_went_back_is_followed_once_somebody_said_so(
    installation: Installation,
) -> None:
    with write_session(installation.engine) as session:
        session.connection().execute(update(Venue).values(name="As it was"))
        session.connection().execute(update(DirectoryState).values(version=0))
    with pytest.raises(Trouble, match="older"):
        installation.publish()
    installation.host.refresh()
    assert installation.names == ["The Lantern"]
    url = installation.engine.url.render_as_string(hide_password=False)
    publish(url, installation.data, installation.now, demonstration=False, accepted=True)
    installation.follow()
    assert installation.names == ["As it was"]


def test_keys_are_changed_one_after_the_other(installation: Installation) -> None:
    private, public = new_keys()
    installation.put(key=private)
    with pytest.raises(Refused):
        installation.host.refresh()
    installation.keys.append(public)
    installation.start()
    installation.host.refresh()
    assert not installation.host.is_degraded
    installation.keys.remove(PUBLIC)
    installation.start()
    installation.host.refresh()
    assert not installation.host.is_degraded


def test_a_disk_that_spoils_it_gets_it_again(installation: Installation) -> None:
    (installation.hosts / CURRENT).write_bytes(b"nothing")
    (installation.hosts / KEPT).write_bytes(b"nothing")
    installation.host.refresh()
    assert installation.names == ["The Lantern"]
    assert (installation.hosts / CURRENT).read_bytes() == the_new_file(installation).read_bytes()


def test_a_store_holds_what_is_published_and_what_was_just_before(
    installation: Installation,
) -> None:
    for name in ("second", "third", "fourth"):
        make_venue(installation.engine, name=name)
        installation.publish()
    assert len(list(installation.store.iterdir())) == 3


# --- the whole service -----------------------------------------------------------------------


@pytest.fixture
def register(sqlite_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A service that publishes."""
    data = tmp_path / "register"
    data.mkdir()
    with serving(application(settings_for(data, sqlite_url, publishing_key=PRIVATE))) as client:
        until(lambda: client.get("/health/ready").is_success)
        yield client


@pytest.fixture
def host(register: httpx.Client, tmp_path: Path) -> Iterator[httpx.Client]:
    """A service that fetches from it, and has no database."""
    data = tmp_path / "host"
    data.mkdir()
    settings = settings_for(
        data,
        directory_url=f"{register.base_url}/published",
        directory_keys=[PUBLIC],
        public_url="https://havens.example",
    )
    with serving(application(settings)) as client:
        until(lambda: client.get("/health/ready").is_success)
        yield client


PAGES = (
    *("/", "/pl", "/map", "/help", "/safety", "/privacy", "/sitemap.xml", "/v1/wards", "/v1/help"),
    *("/v1/changes", "/oruk/services", "/ogc/collections/havens/items", "/print/leaflet.pdf"),
)


def test_a_host_without_a_database_answers_all_that_is_public(
    register: httpx.Client, host: httpx.Client, sqlite_engine: Engine
) -> None:
    haven = make_venue(sqlite_engine, name="The Lantern").id
    until(lambda: "The Lantern" in host.get("/v1/havens").text)
    assert host.get("/v1/havens").text == register.get("/v1/havens").text
    for path in (*PAGES, NEAREST, f"/havens/{haven}", f"/v1/havens/{haven}"):
        assert host.get(path).status_code == 200, path
    until(lambda: host.get("/health/ready").json()["status"] == "ok")
    with write_session(sqlite_engine) as session:
        session.connection().execute(update(Decision).values(until=date(2020, 1, 1)))
    until(lambda: host.get(f"/v1/havens/{haven}").status_code == 404)


def test_what_needs_the_register_says_that_there_is_none(
    register: httpx.Client, host: httpx.Client, sqlite_engine: Engine
) -> None:
    haven = make_venue(sqlite_engine).id
    until(lambda: host.get(f"/v1/havens/{haven}").is_success)
    for answer in (
        host.get("/v1/admin/venues", headers=TOKEN),
        host.get("/v1/audit/coverage", headers=TOKEN),
        host.post("/v1/auth/token", data={"username": "anna", "password": "long enough"}),
    ):
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "urn:safe-havens:problem:no-register"
    refused = host.post(f"/v1/havens/{haven}/problem-reports", json={"kind": "closed"})
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:safe-havens:problem:report-not-kept"
    assert refused.json()["help"]
    assert host.get("/v1/verify/AAAA-AAAA-AAAA").status_code == 503
    until(lambda: host.get("/health/ready").json()["status"] == "ok")


def test_what_is_published_is_asked_for_by_what_is_known(register: httpx.Client) -> None:
    current = register.get("/published/current")
    tag = {"If-None-Match": current.headers["etag"]}
    published = Publication.read(current.content, [PUBLIC])
    assert register.get("/published/current", headers=tag).status_code in (200, 304)
    for file in published.files.values():
        answer = register.get(f"/published/{file.checksum}")
        assert len(answer.content) == file.size
        assert "immutable" in answer.headers["cache-control"]
    assert register.get(f"/published/{'0' * 64}").status_code == 404


def test_who_has_no_key_publishes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with serving(application(settings_for(tmp_path, sqlite_url))) as client:
        assert client.get("/published/current").status_code == 404


WRONG: list[tuple[dict[str, object], str]] = [
    ({"directory_url": "https://havens.example/published"}, "needs HAVENS_DIRECTORY_KEYS"),
    ({"directory_url": "no address", "directory_keys": PUBLIC}, "valid URL"),
    ({"directory_keys": "too-short"}, "as `havens keys` writes it"),
    ({"publishing_key": "bm90IGEga2V5"}, "as `havens keys` writes it"),
    (
        {
            "directory_url": "https://a.example",
            "database_url": "sqlite:///a",
            "directory_keys": "a",
        },
        "in place of HAVENS_DATABASE_URL",
    ),
]


@pytest.mark.parametrize(("given", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_settings_that_fit_nothing_are_refused(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Settings.model_validate(given)


def test_a_host_needs_no_secret(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "directory_url": "https://a.example/published/",
            "directory_keys": f"{PUBLIC}, {new_keys()[1]}",
        }
    )
    assert settings.key("anything")
    assert settings.directory_url == "https://a.example/published"
    assert len(settings.directory_keys) == 2


def test_before_anything_is_fetched_there_is_no_answer(
    tmp_path: Path, sqlite_engine: Engine
) -> None:
    settings = settings_for(tmp_path, directory_url="http://127.0.0.1:9", directory_keys=[PUBLIC])
    ours = Fetched(settings, sqlite_engine)
    with pytest.raises(NotFetched, match="ConnectError"):
        ours.refresh()
    with pytest.raises(NotReady):
        _ = ours.search
    ours.close()


def test_the_doctor_looks_at_the_source(register: httpx.Client, tmp_path: Path) -> None:
    url = f"{register.base_url}/published"
    for key, severity, says in (
        (PUBLIC, Severity.WELL, "confirmed"),
        (new_keys()[1], Severity.WRONG, "signed with none"),
    ):
        settings = settings_for(tmp_path, directory_url=url, directory_keys=[key])
        found = {finding.subject: finding for finding in examine(settings)}
        assert "database" not in found
        assert found["source"].severity == severity
        assert says in found["source"].says


def test_commands_make_keys_and_publish(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = CliRunner().invoke(cli, ["keys"]).output
    given = dict(line.split("=", 1) for line in made.splitlines() if line.startswith("HAVENS"))
    make_venue(sqlite_engine)
    data, store = tmp_path / "data", tmp_path / "store"
    data.mkdir()
    url = sqlite_engine.url.render_as_string(hide_password=False)
    settings = settings_for(data, url, publishing_key=given["HAVENS_PUBLISHING_KEY"])
    monkeypatch.setattr(publish_cli, "settings", lambda: settings)
    publish_cli.publish(store, once=True)
    document = (store / NAME).read_bytes()
    published = Publication.read(document, [given["HAVENS_DIRECTORY_KEYS"]])
    for file in published.files.values():
        assert (store / file.checksum).stat().st_size == file.size


@pytest.mark.drill
def test_a_folder_is_kept_current_until_that_is_ended(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    data, store = tmp_path / "data", tmp_path / "store"
    data.mkdir()
    make_venue(sqlite_engine)
    command = "from app.cli import main; main()"
    publishing = subprocess.Popen(
        [sys.executable, "-c", command, "publish", store],
        env={
            "PYTHONPATH": str(ROOT),
            "HAVENS_DATA_DIR": str(data),
            "HAVENS_SECRET_KEY": SECRET,
            "HAVENS_DATABASE_URL": sqlite_engine.url.render_as_string(hide_password=False),
            "HAVENS_PUBLISHING_KEY": PRIVATE,
        },
    )

    def version() -> int:
        assert publishing.poll() is None
        if not (store / NAME).exists():
            return 0
        return Publication.read((store / NAME).read_bytes(), [PUBLIC]).version

    try:
        before = until(version)
        make_venue(sqlite_engine)
        until(lambda: version() > before)
    finally:
        publishing.terminate()
        assert publishing.wait(PATIENCE_SECONDS) == 0
