"""Registers of others, read from where they are published instead of from a file.

One request at a time, none for what has been read today, and as slowly as they ask for. What breaks
off goes on where it was when it is run again.
"""

import io
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from app.core import files
from app.core.download import NotRead, read_patiently
from app.core.trouble import Trouble
from app.sheets.import_report import Track

FHRS = "https://api.ratings.food.gov.uk"
"""Where the Food Standards Agency's register is asked for."""

_VERSION = {"x-api-version": "2"}
_PER_PAGE = 1000
_MOST_PAGES = 1000
_FRESH_SECONDS = 24 * 3600
_LARGEST_MB = 100

Sleep = Callable[[float], None]


class _Authority(BaseModel):
    LocalAuthorityId: int
    LocalAuthorityIdCode: str


class _Authorities(BaseModel):
    authorities: list[_Authority]


class _Meta(BaseModel):
    totalPages: int  # noqa: N815  as they write it


class _Page(BaseModel):
    establishments: list[Any]
    meta: _Meta


def fetch_fhrs(
    client: httpx.Client,
    authority: str,
    folder: Path,
    *,
    base: str = FHRS,
    track: Track = iter,
    sleep: Sleep = time.sleep,
) -> bytes:
    """The food hygiene register of an authority, by the code it has there ("508"), as one document
    such as `import_fhrs` takes. Pages are kept in a folder for a day. Raises `Trouble`, OSError."""
    base = base.rstrip("/")
    try:
        number = _number_of(client, authority, base, sleep)
        ours = folder / "fetched" / f"fhrs-{number}"
        ours.mkdir(parents=True, exist_ok=True)

        def page(which: int) -> _Page:
            file = ours / f"{which}.json"
            if not _is_fresh(file):
                asked = {"localAuthorityId": number, "pageNumber": which, "pageSize": _PER_PAGE}
                address = f"{base}/Establishments"
                body = read_patiently(client, address, sleep=sleep, headers=_VERSION, **asked)
                _Page.model_validate_json(body)
                files.replace(file, [body])
            return _Page.model_validate_json(file.read_bytes())

        pages = page(1).meta.totalPages
        if pages > _MOST_PAGES:
            raise NotRead("it tells of more pages than there can be")
        return orjson.dumps(
            {
                "establishments": [
                    entry
                    for which in track(range(1, pages + 1))
                    for entry in page(which).establishments
                ]
            }
        )
    except ValidationError:
        raise NotRead("it tells what is not as it should be") from None


def _number_of(client: httpx.Client, authority: str, base: str, sleep: Sleep) -> int:
    """The number by which the register knows an authority. Raises `Trouble`."""
    address = f"{base}/Authorities/basic"
    body = read_patiently(client, address, sleep=sleep, headers=_VERSION)
    for one in _Authorities.model_validate_json(body).authorities:
        if one.LocalAuthorityIdCode == authority:
            return one.LocalAuthorityId
    raise Trouble(f"The register has no authority with the code {authority}")


def _is_fresh(file: Path) -> bool:
    return file.exists() and 0 <= time.time() - file.stat().st_mtime < _FRESH_SECONDS


def fetch_need(client: httpx.Client, address: str, *, sleep: Sleep = time.sleep) -> bytes:
    """A file of need from an address: a CSV, or an archive of the police's street-level ones, which
    are put together. Raises `NotRead`."""
    body = read_patiently(client, address, sleep=sleep, headers={"Accept": "*/*"})
    if not body.startswith(b"PK"):
        return body
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return _street_level(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        raise NotRead("it sends an archive that can't be opened") from None


def _street_level(archive: zipfile.ZipFile) -> bytes:
    """The rows of all street-level files of an archive, below one header."""
    found = [one for one in archive.infolist() if one.filename.endswith("-street.csv")]
    if not found:
        raise NotRead("its archive holds no street-level file, whose name ends in -street.csv")
    if sum(one.file_size for one in found) > _LARGEST_MB * 10**6:
        raise NotRead(f"its archive holds more than {_LARGEST_MB} MB")
    parts: list[bytes] = []
    for one in sorted(found, key=lambda entry: entry.filename):
        with archive.open(one) as file:
            # No more than it says of itself.
            header, _, rows = file.read(one.file_size).partition(b"\n")
        if not parts:
            parts.append(header)
        elif header.strip() != parts[0].strip():
            raise NotRead("the files in its archive have different columns")
        parts.append(rows.rstrip())
    return b"\n".join(part for part in parts if part) + b"\n"
