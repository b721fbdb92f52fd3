"""OGC API - Features, as the standard's text has it; GDAL reads it in a drill."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI

from app.accounts.models import Role
from tests.accounts import make_app, signed_in
from tests.canaries import CANARIES, EMAIL, LAT, LON
from tests.factories import make_ward
from tests.feeds.conftest import PUBLIC_URL
from tests.servers import serving, until

Json = dict[str, Any]
HAVENS = "/ogc/collections/havens"


def get(client: httpx.Client, path: str, **parameters: Any) -> Json:
    response = client.get(path, params=parameters or None)
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def found(client: httpx.Client, collection: str = "havens", **parameters: Any) -> list[Json]:
    path = f"/ogc/collections/{collection}/items"
    page = get(client, path, **{"limit": 1000} | parameters)
    assert page["numberMatched"] == page["numberReturned"] == len(page["features"])
    features: list[Json] = page["features"]
    return features


def names(features: list[Json]) -> set[str]:
    return {feature["properties"]["name"] for feature in features}


def links(document: Any) -> Iterator[Json]:
    if isinstance(document, dict):
        yield from document.get("links", [])
        for value in document.values():
            yield from links(value)
    elif isinstance(document, list):
        for value in document:
            yield from links(value)


def link(document: Json, rel: str) -> str:
    (found,) = [each["href"] for each in document["links"] if each["rel"] == rel]
    address: str = found
    return address


def test_all_links_resolve_and_are_what_they_say(demonstration: httpx.Client) -> None:
    todo, seen = [f"{PUBLIC_URL}/ogc"], set[str]()
    while todo:
        address = todo.pop()
        assert address.startswith(f"{PUBLIC_URL}/ogc")
        response = demonstration.get(address.removeprefix(PUBLIC_URL))
        assert response.status_code == 200, address
        for each in links(response.json()):
            if each["href"] not in seen:
                assert {"href", "rel", "type", "title"} == each.keys()
                seen.add(each["href"])
                todo.append(each["href"])
            if each["rel"] == "self":
                assert response.headers["Content-Type"] == each["type"]
    assert len(seen) > 15
    assert {urlsplit(address).path.rpartition("/")[2] for address in seen} >= {"api", "items"}


def test_it_says_what_it_conforms_to(demonstration: httpx.Client) -> None:
    said = get(demonstration, "/ogc/conformance")["conformsTo"]
    assert [uri.rpartition("/conf/")[2] for uri in said] == ["core", "geojson", "oas30"]
    landing = get(demonstration, "/ogc")
    assert {each["rel"] for each in landing["links"]} >= {"service-desc", "conformance", "data"}
    assert "no haven here is real" in landing["description"]
    for collection in get(demonstration, "/ogc/collections")["collections"]:
        assert collection == get(demonstration, f"/ogc/collections/{collection['id']}")
        assert collection["itemType"] == "feature"


def test_the_havens_are_those_of_the_directory(demonstration: httpx.Client) -> None:
    havens = {haven["id"]: haven for haven in get(demonstration, "/v1/havens")["havens"]}
    features = found(demonstration)
    assert {feature["id"] for feature in features} == havens.keys()
    for feature in features:
        haven, said = havens[feature["id"]], feature["properties"]
        assert feature["geometry"]["coordinates"] == [
            haven["location"]["lon"],
            haven["location"]["lat"],
        ]
        assert said["name"] == haven["name"]
        assert said["notice"] == haven["notice"]
        assert ("opening_hours" in said) == ("opening_hours" in haven)
        assert None not in said.values()
    extent = get(demonstration, HAVENS)["extent"]
    west, south, east, north = extent["spatial"]["bbox"][0]
    lons, lats = zip(*(f["geometry"]["coordinates"] for f in features), strict=True)
    assert (west, south, east, north) == (min(lons), min(lats), max(lons), max(lats))
    assert extent["temporal"]["interval"] == [["2026-11-27T22:00:00Z", "2026-12-11T22:00:00Z"]]
    one = get(demonstration, f"{HAVENS}/items/{features[0]['id']}")
    assert {name: one[name] for name in features[0]} == features[0]


def test_help_points_and_wards(demonstration: httpx.Client) -> None:
    assert names(found(demonstration, "help-points")) == {
        *("Cinderquay Taxi Marshals", "Lanterngate Welfare Bus", "Summer Riverside Welfare Hub")
    }
    wards = get(demonstration, "/v1/wards")["features"]
    assert found(demonstration, "wards") == wards
    (ward,) = found(demonstration, "wards", code=wards[0]["id"])
    assert ward == wards[0]
    # Open or not: a ward has no times.
    assert len(found(demonstration, "wards", datetime="2030-01-01T00:00:00Z")) == len(wards)


def test_by_place(demonstration: httpx.Client) -> None:
    features = found(demonstration)
    here = features[0]["geometry"]["coordinates"]
    box = (here[0] - 0.002, here[1] - 0.002, here[0] + 0.002, here[1] + 0.002)
    inside = [
        f
        for f in features
        if box[0] <= f["geometry"]["coordinates"][0] <= box[2]
        and box[1] <= f["geometry"]["coordinates"][1] <= box[3]
    ]
    flat = ",".join(map(str, box))
    assert found(demonstration, bbox=flat) == inside
    assert 0 < len(inside) < len(features)
    high = f"{box[0]},{box[1]},0,{box[2]},{box[3]},9"
    assert found(demonstration, bbox=high) == inside
    assert found(demonstration, bbox="170,-90,-170,90") == []
    assert len(found(demonstration, bbox="1,51,0.5,52")) == len(features)
    assert 0 < len(found(demonstration, "wards", bbox=flat)) < 6


def test_by_time(demonstration: httpx.Client) -> None:
    at = "2026-11-28T02:30:00Z"
    havens = get(demonstration, "/v1/havens")["havens"]
    open_then = {
        haven["name"]
        for haven in havens
        if any(s["from"] <= at < s["until"] for s in haven.get("availability", ()))
    }
    assert names(found(demonstration, datetime=at)) == open_then
    assert names(found(demonstration, datetime="2026-11-28T03:30:00+01:00")) == open_then
    assert names(found(demonstration, datetime=f"{at}/2026-11-28T02:31:00Z")) == open_then
    everything = names(found(demonstration, datetime="../.."))
    unknown = {haven["name"] for haven in havens if not haven.get("availability")}
    assert everything == {haven["name"] for haven in havens} - unknown
    assert found(demonstration, datetime="2027-06-01T00:00:00Z/..") == []
    assert names(found(demonstration, datetime=f"/{at}")) < everything


def test_by_properties(demonstration: httpx.Client) -> None:
    assert names(found(demonstration, name="The Brass Heron")) == {"The Brass Heron"}
    pubs = found(demonstration, category="pub", step_free="yes")
    assert "The Brass Heron" in names(pubs)
    assert {f["properties"]["category"] for f in pubs} == {"pub"}
    quiet = found(demonstration, facilities="quiet_space")
    assert all("quiet_space" in f["properties"]["facilities"] for f in quiet)
    assert quiet
    assert found(demonstration, ward="Nowhere") == []


def test_page_by_page(demonstration: httpx.Client) -> None:
    address = f"{HAVENS}/items?limit=10&facilities=toilet"
    met: list[Json] = []
    matched = 0
    while address:
        page = get(demonstration, address)
        assert page["numberReturned"] == len(page["features"]) <= 10
        met += page["features"]
        matched = page["numberMatched"]
        following = [each["href"] for each in page["links"] if each["rel"] == "next"]
        address = following[0].removeprefix(PUBLIC_URL) if following else ""
        if following:
            assert parse_qs(urlsplit(following[0]).query)["facilities"] == ["toilet"]
    assert met == found(demonstration, facilities="toilet")
    assert len(met) == matched > 30
    before = link(get(demonstration, f"{HAVENS}/items?offset=15"), "prev")
    assert parse_qs(urlsplit(before).query) == {"offset": ["5"]}
    # More than there may be is not refused, by the standard.
    assert get(demonstration, f"{HAVENS}/items?limit=1000000")["numberReturned"] == 53


def test_what_is_not_understood_is_refused(demonstration: httpx.Client) -> None:
    wrong = {
        **{f"limit={value}": "limit" for value in ("0", "-1", "x", "1.5", "")},
        **{f"offset={value}": "offset" for value in ("-1", "x")},
        **{f"bbox={value}": "bbox" for value in ("1,2,3", "a,b,c,d", "nan,0,1,1", "0,2,1,1")},
        **{f"datetime={v}": "datetime" for v in ("yesterday", "2026-11-28", "a/b", "..")},
        "datetime=2026-11-28T02:30:00Z/2026-11-27T02:30:00Z": "datetime",
        "colour=red": "query",
        "limit=1&limit=2": "query",
    }
    del wrong["limit="]  # empty is as if left out, as everywhere
    for query, field in wrong.items():
        response = demonstration.get(f"{HAVENS}/items?{query}")
        assert response.status_code == 400, query
        assert [error["field"] for error in response.json()["errors"]] == [field], query
    for path in ("", "/conformance", "/api", "/collections", "/collections/havens"):
        assert demonstration.get(f"/ogc{path}?x=1").status_code == 400
    for path in ("/collections/pubs", "/collections/pubs/items", "/collections/havens/items/x"):
        assert demonstration.get(f"/ogc{path}").status_code == 404


def test_the_contract_has_each_parameter(demonstration: httpx.Client) -> None:
    contract = get(demonstration, "/ogc/api")
    assert contract["openapi"].startswith("3.0.")
    assert contract["servers"] == [{"url": f"{PUBLIC_URL}/ogc"}]
    for collection in ("havens", "help-points", "wards"):
        path = f"/collections/{collection}/items"
        named = [p["name"] for p in contract["paths"][path]["get"]["parameters"]]
        assert named[0] == "bbox"
        assert set(named) >= {"limit", "offset", "name"}
        assert ("datetime" in named) == (collection != "wards")
        assert demonstration.get(f"/ogc{path}?{'&'.join(f'{n}=' for n in named)}").is_success


def test_nothing_that_was_sent_wrongly_comes_back(demonstration: httpx.Client) -> None:
    for name in ("bbox", "datetime", "limit", "offset", LAT, EMAIL):
        response = demonstration.get(f"{HAVENS}/items", params={name: f"{LAT},{LON},{EMAIL}"})
        assert response.status_code == 400
        assert not CANARIES.search(response.content)
    for path in (f"/collections/{EMAIL}", f"/collections/havens/items/{LAT}"):
        response = demonstration.get(f"/ogc{path}")
        assert response.status_code == 404
        assert not CANARIES.search(response.content)


# --- for those who answer for coverage -------------------------------------------------------


def test_coverage_is_for_those_who_answer_for_it(sqlite_url: str, tmp_path: Any) -> None:
    app: FastAPI = make_app(sqlite_url, tmp_path)
    make_ward(app.state.journal.engine, name="Lanternside", code="E05000001")
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        # Without a public address links begin at the root.
        response = client.get("/ogc", headers={"Host": "elsewhere.test"})
        assert link(response.json(), "data") == "/ogc/collections"
        assert "elsewhere" not in response.text
        assert client.get("/ogc/licensing/collections").status_code == 401
        client.headers.update(signed_in(app, Role.OFFICER))
        assert client.get("/ogc/licensing").status_code == 403
        client.headers.update(signed_in(app, Role.LICENSING))
        path = "/ogc/licensing/collections/coverage"
        assert link(get(client, path), "items") == f"{path}/items"
        response = client.get(f"{path}/items")
        assert response.headers["Cache-Control"] == "private, no-store"
        (map_,) = client.get("/v1/audit/wards.geojson").json()["features"]
        (feature,) = response.json()["features"]
        assert feature["geometry"] == map_["geometry"]
        assert feature["properties"]["name"] == "Lanternside"
        (safe_haven,) = (s for s in map_["properties"]["schemes"] if s["scheme"] == "safe_haven")
        assert feature["properties"]["safe_haven_venues"] == safe_haven["venues"]
        assert get(client, "/ogc/licensing/api")["security"] == [{"token": []}]
    app.state.journal.engine.dispose()
