"""Vendored files are what the manifest says, and what upstream's packages make."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.web.vendoring import MANIFEST, VENDOR, VENDORED, Vendored, checksum, upstream

Manifest = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return {entry["file"]: entry for entry in json.loads(MANIFEST.read_text())}


def test_the_manifest_names_every_file(manifest: Manifest) -> None:
    stored = {path.name for path in VENDOR.iterdir()} - {MANIFEST.name}
    licences = {f"{entry['package']}.LICENSE" for entry in manifest.values()}
    assert stored == set(manifest) | licences
    assert set(manifest) == {vendored.file for vendored in VENDORED}


@pytest.mark.parametrize("vendored", VENDORED, ids=lambda vendored: vendored.file)
def test_a_file_is_the_recorded_one(manifest: Manifest, vendored: Vendored) -> None:
    text, entry = (VENDOR / vendored.file).read_text(), manifest[vendored.file]
    assert checksum(text) == entry["sha256"]
    assert entry["transformation"] == vendored.change
    assert (entry["package"], entry["version"]) == (vendored.package.name, vendored.package.version)
    assert text.startswith(f"/*! {entry['package']} {entry['version']} ")
    assert vendored.package.notice in text.splitlines()[0]


@pytest.mark.parametrize("vendored", VENDORED, ids=lambda vendored: vendored.file)
def test_a_file_needs_no_other_host_and_no_other_file(vendored: Vendored) -> None:
    text = (VENDOR / vendored.file).read_text()
    assert "sourceMappingURL" not in text
    if vendored.file.endswith(".css"):
        assert not re.search(r"url\(|@import|@font-face|GDS Transport", text)


PUBLIC = ("govuk-first.css", "govuk-finder.css")


@pytest.mark.parametrize("name", ["govuk-frontend.css", *PUBLIC])
def test_components_read_from_either_side(name: str) -> None:
    css = (VENDOR / name).read_text()
    sided = re.findall(
        r"[{;]((?:(?:margin|padding)-)?(?:left|right)|text-align:(?:left|right)):?", css
    )
    assert not sided


def test_public_pages_have_nothing_that_the_console_has_not() -> None:
    every, first, rest = (
        set(re.findall(r"\.govuk-[\w\\!-]+", (VENDOR / name).read_text()))
        for name in ("govuk-frontend.css", *PUBLIC)
    )
    few = first | rest
    assert few < every
    assert not first & rest
    for name in ("details__summary", "radios__label", "error-summary", "skip-link", "textarea"):
        assert any(selector.startswith(f".govuk-{name}") for selector in few), name


@pytest.mark.skipif(
    "VENDORED_PACKAGES" not in os.environ,
    reason="VENDORED_PACKAGES names no unpacked npm packages (separated by colons)",
)
@pytest.mark.parametrize("vendored", VENDORED, ids=lambda vendored: vendored.file)
def test_upstream_s_package_makes_the_same_file(manifest: Manifest, vendored: Vendored) -> None:
    folders = [Path(folder) for folder in os.environ["VENDORED_PACKAGES"].split(os.pathsep)]
    original = upstream(vendored, folders)
    assert checksum(original) == manifest[vendored.file]["sha256_upstream"]
    assert vendored.made(original) == (VENDOR / vendored.file).read_text()
