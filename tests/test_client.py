"""The client in Python: it reads what the service says, asks again with restraint, and no more."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import httpx
import pytest

from app.client import Havens, Refused
from tests.factories import BANK, utc
from tests.servers import add_venue, client_of, serving_directory

NOON = utc("2026-11-27T12:00")


@pytest.fixture(scope="module")
def service(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("client")
    url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
    add_venue(url, name="The Lantern", phone="020 7946 0001")
    with serving_directory(folder / "data", url, lambda: NOON) as client:
        yield client


def test_it_reads_what_the_service_says(service: httpx.Client) -> None:
    with Havens(f"{service.base_url}", http=client_of("")) as havens:
        (haven,) = havens.nearest(BANK.lat, BANK.lon, limit=1).havens
        assert (haven.name, haven.phone, haven.open.state) == (
            "The Lantern",
            "020 7946 0001",
            "open",
        )
        assert haven.ward is None
        assert havens.haven(haven.id).availability
        assert havens.help("pl").help[0].phone == "999"
        assert havens.wards().features == []
        with pytest.raises(Refused, match="422 The request is not valid") as refused:
            havens.nearest(91, 0)
        assert refused.value.errors.keys() == {"lat"}


def test_it_keeps_what_has_not_changed(service: httpx.Client) -> None:
    with Havens(f"{service.base_url}", http=client_of("")) as havens:
        first = havens.directory()
        assert havens.directory() is first


def test_a_position_is_in_no_address(service: httpx.Client) -> None:
    asked: list[httpx.Request] = []
    http = client_of("")
    http.event_hooks = {"request": [asked.append]}
    with Havens(f"{service.base_url}", http=http) as havens:
        havens.nearest(51.5137246813, -0.0981357913)
    assert [request.method for request in asked] == ["POST"]
    assert "51.5" not in str(asked[0].url)
    assert not any("51.5" in value for value in asked[0].headers.values())


Answers = Callable[[httpx.Request], httpx.Response]
Fault = type[httpx.TransportError]


def network(
    *statuses: int | type[httpx.TransportError], **headers: str
) -> tuple[Answers, list[int]]:
    """A network on which these answers come one after the other."""
    left, seen = list(statuses), list[int]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(len(seen))
        status = left.pop(0)
        if not isinstance(status, int):
            raise status("broken", request=request)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, json={"help": []}, headers=names)

    return answer, seen


def asking(answers: Answers, pauses: list[float], tries: int = 3) -> Havens:
    http = httpx.Client(transport=httpx.MockTransport(answers))
    return Havens("http://havens.test", http=http, tries=tries, pause=pauses.append)


@pytest.mark.parametrize("first", [503, 429, 502, httpx.ConnectError, httpx.ReadTimeout])
def test_it_asks_again_after_what_passes(first: int | Fault) -> None:
    answers, seen = network(first, first, 200)
    pauses: list[float] = []
    assert asking(answers, pauses).help().help == []
    assert len(seen) == 3
    assert 0.1 < pauses[0] < pauses[1] < 2


def test_it_waits_for_as_long_as_it_is_asked_to() -> None:
    answers, _ = network(503, 200, Retry_After="7")
    pauses: list[float] = []
    asking(answers, pauses).help()
    assert pauses == [7]
    answers, seen = network(503, 200, Retry_After="3600")
    with pytest.raises(Refused):
        asking(answers, pauses).help()
    assert len(seen) == 1


def test_it_gives_up() -> None:
    answers, seen = network(503, 503)
    with pytest.raises(Refused):
        asking(answers, [], tries=2).help()
    assert len(seen) == 2
    answers, seen = network(404, 200)
    with pytest.raises(Refused):
        asking(answers, []).help()
    assert len(seen) == 1
    answers, _ = network(httpx.ConnectError, httpx.ConnectError)
    with pytest.raises(httpx.ConnectError):
        asking(answers, [], tries=2).help()
