"""Postcodes: what is taken from the files in which they are published, and how it is kept."""

import io
import logging
from pathlib import Path

import httpx
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.core.db import read_session
from app.core.places import Point, haversine_m
from app.core.postcodes import Postcodes, postcodes_of
from app.sheets.import_report import ImportRejected
from app.sheets.postcodes import MARGIN_M, Found, area_of, read_postcodes
from tests.accounts import make_app
from tests.factories import BANK, make_venue
from tests.servers import serving, until
from tests.sheets.register import import_wards
from tests.sheets.test_wards import square, ward, written

AREA = shapely.box(-0.12, 51.50, -0.06, 51.53)

ONS = """\
pcd,pcd2,pcds,dointr,doterm,usertype,lat,long
EC2R8AH,EC2R 8AH,EC2R 8AH,198001,,0,51.5134,-0.0890
EC2R8AJ,EC2R 8AJ,EC2R 8AJ,198001,,0,51.51352,-0.08931
EC4N7AA,EC4N 7AA,EC4N 7AA,198001,201206,0,51.5110,-0.0900
EC1A1AA,EC1A 1AA,EC1A 1AA,198001,,1,99.999999,0.000000
M1 1AE,M1  1AE,M1 1AE,198001,,0,53.4790,-2.2440
"""
# London Stone, by the National Grid; a postcode that has no place; and one in Manchester.
CODE_POINT = """\
"EC4N5AR",10,532600,180900,"E92000001","","E18000007","","E09000001","E05009304"
"EC4N9ZZ",90,0,0,"E92000001","","E18000007","","E09000001","E05009304"
"M1  1AE",10,384700,398200,"E92000001","","E18000007","","E08000003","E05011368"
"""


def read(*texts: str, area: shapely.Polygon = AREA) -> Found:
    files = [(Path(f"{n}.csv"), io.BytesIO(text.encode())) for n, text in enumerate(texts, 1)]
    return read_postcodes(files, area)


def refused(*texts: str) -> list[str]:
    with pytest.raises(ImportRejected) as rejected:
        read(*texts)
    return [f"{cell.where}: {cell.reason}" for cell in rejected.value.cells]


def test_the_directory_of_the_office_for_national_statistics() -> None:
    found = read(f"\ufeff{ONS}")
    assert found.postcodes.places == {
        "EC2R 8AH": Point(51.5134, -0.0890),
        "EC2R 8AJ": Point(51.51352, -0.08931),
    }
    assert found.left_out == {"no longer in use": 1, "without a place": 1, "outside the area": 1}
    assert "Office for National Statistics" in found.postcodes.about["attribution"]


def test_code_point_open() -> None:
    found = read(CODE_POINT)
    [(code, place)] = found.postcodes.places.items()
    assert code == "EC4N 5AR"
    assert haversine_m(place.lat, place.lon, 51.5117, -0.0900) < 50
    assert found.left_out == {"without a place": 1, "outside the area": 1}
    assert "Ordnance Survey" not in found.postcodes.about["attribution"]
    assert "OS data" in found.postcodes.about["attribution"]


def test_a_country_comes_in_several_files() -> None:
    header, *rows = ONS.splitlines()
    halves = [f"{header}\n{row}\n" for row in rows[:2]]
    assert list(read(*halves).postcodes.places) == ["EC2R 8AH", "EC2R 8AJ"]


def test_what_is_refused() -> None:
    assert refused("name,lat\nBank,51.5\n", ONS) == [
        (
            "line 1: 1.csv must be of the ONS Postcode Directory, with columns pcds, doterm, lat "
            "and long, or of Code-Point Open: postcode, quality, easting, northing"
        )
    ]
    bad = ONS.replace("51.5134", "north").replace("EC2R 8AJ,198001,,0,", "EC2R,198001,,0,")
    assert refused(bad + "short\n") == [
        "line 2: of 1.csv: must be a number, not 'north'",
        "line 3: of 1.csv: must be a postcode, like EC2V 7HH",
        "line 7: of 1.csv: has too few columns",
    ]
    assert refused(CODE_POINT.replace("384700", "east")) == [
        "line 3: of 1.csv: must be a number, not 'east'"
    ]
    manchester = "".join(line for line in ONS.splitlines(keepends=True) if "EC" not in line)
    assert refused(manchester) == ["file: holds no postcode near the wards and venues"]
    assert refused("") == refused("\n")


def test_the_area_is_where_wards_and_venues_are(engine: Engine) -> None:
    with read_session(engine) as session, pytest.raises(ImportRejected, match="rejected"):
        area_of(session)
    import_wards(engine, written(ward("W1", square(-0.1, 51.5, 0.02))))
    make_venue(engine, lat=51.49, lon=-0.05)
    with read_session(engine) as session:
        west, south, east, north = area_of(session).bounds
    assert haversine_m(51.5, west, 51.5, -0.1) == pytest.approx(MARGIN_M, rel=0.01)
    assert haversine_m(51.49, east, 51.49, -0.05) == pytest.approx(MARGIN_M, rel=0.01)
    assert haversine_m(south, 0, 51.49, 0) == pytest.approx(MARGIN_M, rel=0.01)
    assert haversine_m(north, 0, 51.52, 0) == pytest.approx(MARGIN_M, rel=0.01)


STEPS = st.integers(-9_000_000, 9_000_000)


CODES = st.from_regex("[A-Z]{1,2}[0-9][A-Z]? [0-9][A-Z]{2}", fullmatch=True)


# Few, for each waits for the disk.
@settings(max_examples=20)
@given(st.dictionaries(CODES, st.tuples(STEPS, STEPS)))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, codes: dict[str, tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("data")
    places = {code: Point(lat / 100_000, lon / 100_000) for code, (lat, lon) in codes.items()}
    written = Postcodes(places, {"source": "a test", "attribution": "", "imported": "2026-11-29"})
    written.write(folder)
    read = postcodes_of(folder)
    assert read
    assert (read.places, read.about, read.checksum) == (places, written.about, written.checksum)
    assert [file.name for file in folder.iterdir()] == ["postcodes"]


def test_a_spoilt_file_counts_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert postcodes_of(tmp_path) is None
    read(ONS).postcodes.write(tmp_path)
    file = tmp_path / "postcodes"
    file.write_bytes(file.read_bytes().replace(b"EC2R", b"EC2V"))
    with caplog.at_level(logging.ERROR):
        assert [postcodes_of(tmp_path) for _ in range(3)] == [None] * 3
    assert caplog.messages == [
        "postcodes is spoilt: import the postcodes anew (havens import postcodes)"
    ]


def test_phones_and_pages_know_them_without_a_restart(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    make_venue(app.state.journal.engine, hours="24/7", lat=BANK.lat, lon=BANK.lon, postcode="")
    with serving(app) as client:
        missing = client.get("/v1/postcodes")
        assert (missing.status_code, missing.json()["title"]) == (
            404, "There is no such list of postcodes",
        )  # fmt: skip
        until(lambda: client.get("/v1/havens").status_code == 200)
        assert "We don" in near(client, "EC2R 8AJ")
        read(ONS).postcodes.write(tmp_path)
        listed = client.get("/v1/postcodes")
        assert listed.json()["districts"] == {
            "EC2R": {"codes": "8AH8AJ", "lat": [5_151_340, 12], "lon": [-8900, -31]}
        }
        known = {"If-None-Match": listed.headers["ETag"]}
        assert client.get("/v1/postcodes", headers=known).status_code == 304
        page = near(client, "EC2R 8AJ")
        assert "from EC2R 8AJ" in page
        assert listed.json()["attribution"] in page


def near(client: httpx.Client, place: str) -> str:
    return client.post("/", data={"place": place}).text
