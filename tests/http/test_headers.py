"""Whose request it is, when it comes through proxies."""

from ipaddress import ip_network

import pytest
from fastapi import Request
from pydantic import ValidationError

from app.core.settings import Settings
from app.http.headers import client_address

OURS = (ip_network("10.0.0.0/8"), ip_network("192.0.2.7"), ip_network("2001:db8:1::/48"))
ADDRESSES = [
    ("203.0.113.9", [], "203.0.113.9", "nobody stands between"),
    ("203.0.113.9", ["198.51.100.7"], "203.0.113.9", "anybody can write the header"),
    ("10.0.0.1", ["198.51.100.7"], "198.51.100.7", "our proxy says who asked it"),
    ("10.0.0.1", ["192.0.2.1, 198.51.100.7"], "198.51.100.7", "what was there before is not ours"),
    ("10.0.0.1", ["192.0.2.1", "198.51.100.7"], "198.51.100.7", "the same in two headers"),
    ("10.0.0.1", ["198.51.100.7, 192.0.2.7"], "198.51.100.7", "two proxies of ours"),
    ("10.0.0.1", ["10.1.1.1"], "10.1.1.1", "a colleague in our own network"),
    ("10.0.0.1", [], "10.0.0.1", "the proxy itself asks"),
    ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1", "it doesn't say"),
    ("10.0.0.1", [", ,"], "10.0.0.1", "it doesn't say"),
    ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7", "some write the port"),
    ("10.0.0.1", ["[2001:db8:2:3::4]:4711"], "2001:db8:2:3::", "some write the port"),
    ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7", "IPv4 written as IPv6"),
    ("2001:db8:1::1", ["198.51.100.7"], "198.51.100.7", "a proxy by IPv6"),
    ("2001:db8:2:3:4::5", [], "2001:db8:2:3::", "one customer has the whole network"),
    ("::1", [], "::", "a small number is an address of IPv6 too"),
    ("fe80::1%eth0", ["198.51.100.7"], "fe80::", "no network of ours"),
    ("", ["198.51.100.7"], "", "a socket without an address"),
    ("10.0.0.1", ["9" * 5000], "10.0.0.1", "no address"),
    ("10.0.0.1", ["\u00b9.2.3.4"], "10.0.0.1", "no digits"),
]


@pytest.mark.parametrize(("peer", "forwarded", "expected", "reason"), ADDRESSES)
def test_whose_request_it_is(peer: str, forwarded: list[str], expected: str, reason: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    request = Request({"type": "http", "client": (peer, 1), "headers": headers})
    assert client_address(request, OURS) == expected, reason


@pytest.mark.parametrize(
    ("given", "networks"),
    [
        ("", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("127.0.0.1, 10.0.0.0/8\t2001:db8::/32", ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]),
    ],
)
def test_proxies_are_listed_in_the_environment(
    given: str, networks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAVENS_TRUSTED_PROXIES", given)
    assert [str(network) for network in Settings().trusted_proxies] == networks


def test_a_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAVENS_TRUSTED_PROXIES", "proxy.example")
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings()
