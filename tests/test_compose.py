"""The files for Docker: exact images, no secret with a default, and all that they name is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.servers import ROOT

FILES = sorted(ROOT.glob("compose*.yaml"))
SECRETS = ("PASSWORD", "SECRET_KEY", "PUBLISHING_KEY", "PUBLIC_URL", "DIRECTORY_KEYS")


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


@pytest.fixture(params=FILES, ids=[file.name for file in FILES])
def file(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def test_there_are_two_and_they_use_the_same_images() -> None:
    assert [file.name for file in FILES] == ["compose.scale.yaml", "compose.yaml"]
    images: dict[str, set[str]] = {}
    for file in FILES:
        for service in read(file)["services"].values():
            if "image" in service:
                name, _, version = service["image"].partition(":")
                assert re.search(r"\d+(\.|-)\d+", version), f"{name} has no exact version"
                images.setdefault(name, set()).add(version)
    assert [name for name, versions in images.items() if len(versions) > 1] == []


def test_each_service_is_shut_in(file: dict[str, Any]) -> None:
    for name, service in file["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert "ports" not in service or name == "proxy"


def test_no_secret_has_a_default(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(SECRETS):
                assert re.match(r"\$\{\w+:\?", value), name


def test_all_that_it_names_is_there(file: dict[str, Any]) -> None:
    services = file["services"]
    addresses = []
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        networks = service["networks"]
        assert set(networks) <= file["networks"].keys()
        if isinstance(networks, dict):
            addresses += [one["ipv4_address"] for one in networks.values() if one]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith("$") or (ROOT / source).exists() or source in file["volumes"]
    assert len(addresses) == len(set(addresses))


def test_hosts_and_poolers_are_where_others_look_for_them() -> None:
    services = read(ROOT / "compose.scale.yaml")["services"]
    scale = ROOT / "deploy" / "scale"
    named = re.findall(r"server ([\w-]+):8000", (scale / "hosts.conf").read_text())
    assert set(named) <= services.keys()
    assert set(re.findall(r"host=(\w+)", (scale / "pgbouncer.ini").read_text())) <= services.keys()
    register = services["havens"]["environment"]
    for name in ("HAVENS_DATABASE_URL", "HAVENS_REPLICA_URL"):
        database = register[name].rpartition("/")[2]
        assert f"\n{database} = " in (scale / "pgbouncer.ini").read_text()
    hosts = [service for name, service in services.items() if name.startswith("host-")]
    assert len(hosts) == 3
    for host in hosts:
        assert host["networks"].keys() == {"front"}
        assert "HAVENS_SECRET_KEY" not in host["environment"]
