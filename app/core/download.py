"""Documents of others, read with care: for so long, so large, and from nowhere else."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from app.core.trouble import Trouble

# The library is loaded by who reads something: a start should not wait for what few need.
if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

LARGEST_MB = 24
"""Of one document, unpacked."""

TIMEOUT_SECONDS = 10.0
HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}

PASSES = frozenset({429, 500, 502, 503, 504})
"""Statuses after which it is worth asking again."""

TRIES = 5
LONGEST_PAUSE = 300.0
"""In seconds: a service that asks for a longer one is not asked again."""


class NotRead(Trouble):
    """Why a document was not read, in words that hold nothing of what was sent.

    `status` is that of the answer, if there was one; `passes` when it may be worth asking again,
    and not before `pause` seconds.
    """

    def __init__(
        self, reason: str, *, status: int = 0, passes: bool = False, pause: float = 0
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.passes = passes
        self.pause = pause


class Document(NamedTuple):
    """What an address gave, and the tag that names it; None when it is what is known already."""

    body: bytes | None
    tag: str


def client_of(
    *, timeout: float = TIMEOUT_SECONDS, transport: "httpx.BaseTransport | None" = None
) -> "httpx.Client":
    """A client that trusts what all browsers trust and sends nothing of ours: no name, no password,
    no cookie; and that goes where it is sent and no further."""
    import httpx  # noqa: PLC0415

    return httpx.Client(
        timeout=timeout,
        transport=transport,
        headers=HEADERS,
        follow_redirects=False,
        trust_env=False,
    )


def read(
    client: "httpx.Client",
    address: str,
    *,
    tag: str = "",
    headers: dict[str, str] | None = None,
    **params: Any,
) -> Document:
    """What is at an address. Raises `NotRead`."""
    import httpx  # noqa: PLC0415

    known = {"If-None-Match": tag} if tag else {}
    # Kept by the client, they would be sent back.
    client.cookies.clear()
    try:
        with client.stream(
            "GET", address, params=params or None, headers=known | (headers or {})
        ) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and tag:
                return Document(None, tag)
            status = response.status_code
            if response.has_redirect_location:
                reason = f"it redirects ({status}): name the address itself"
                raise NotRead(reason, status=status)
            if status != httpx.codes.OK:
                passes, pause = status in PASSES, _wanted_pause(response)
                reason = f"it answers {status}"
                raise NotRead(reason, status=status, passes=passes, pause=pause)
            body = b"".join(_pieces(response))
            return Document(body, response.headers.get("ETag", "")[:200])
    except httpx.TimeoutException:
        raise NotRead("it does not answer in time", passes=True) from None
    except httpx.DecodingError:
        raise NotRead("it sends what can't be unpacked") from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise NotRead("it can't be reached", passes=True) from None


def _wanted_pause(response: "httpx.Response") -> float:
    wanted = response.headers.get("Retry-After", "")
    return float(wanted) if wanted.isascii() and wanted.isdigit() else 0.0


def _pieces(response: "httpx.Response") -> Iterator[bytes]:
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > LARGEST_MB * 10**6:
            raise NotRead(f"it sends more than {LARGEST_MB} MB")
        yield piece


def read_patiently(
    client: "httpx.Client",
    address: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    tries: int = TRIES,
    longest: float = LONGEST_PAUSE,
    **more: Any,
) -> bytes:
    """As `read`, asked again when that may help, after at most the `longest` pause. Raises
    `NotRead`."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt  # noqa: PLC0415

    def is_worth_it(error: BaseException) -> bool:
        return isinstance(error, NotRead) and error.passes and error.pause <= longest

    return Retrying(
        retry=retry_if_exception(is_worth_it),
        stop=stop_after_attempt(tries),
        wait=_pause,
        sleep=sleep,
        reraise=True,
    )(lambda: read(client, address, **more).body or b"")


def _pause(state: "RetryCallState") -> float:
    """Longer each time, and different for each who asks; no shorter than was asked for."""
    error = state.outcome.exception() if state.outcome else None
    wanted = error.pause if isinstance(error, NotRead) else 0.0
    longer: int = 2**state.attempt_number
    return wanted + random.uniform(0.1, 0.5) * longer  # noqa: S311  no secret


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `NotRead` when what is done takes longer, whatever it waits for.

    For the main thread alone: it is the system that interrupts.
    """

    def late(*_: object) -> None:
        raise NotRead(f"it takes longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
