"""What went wrong inside the service while a test ran, for the report of one that fails."""

import traceback
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_met: list[str] = []
_outputs: dict[Path, int] = {}
"""Files that services of this process print into, and how much was there before the test."""


def noting_faults(app: ASGIApp) -> ASGIApp:
    """The application, with what it answers 500 for kept. The product itself hides the message."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            # Before it goes out, or the test would be over first.
            if message.get("status") == 500:
                _met.append(traceback.format_exc())
            await send(message)

        await app(scope, receive, sent)

    return noted


def watch(output: Path) -> None:
    """Count what a service prints into a file to the tests that run meanwhile."""
    _outputs[output] = 0


def begin_test() -> None:
    """Forget what earlier tests met."""
    _met.clear()
    for output in list(_outputs):
        if output.exists():
            _outputs[output] = output.stat().st_size
        else:
            del _outputs[output]


def report() -> list[tuple[str, str]]:
    """What was met since the test began, as titles and texts."""
    printed = {
        output: output.read_bytes()[before:].decode(errors="replace")
        for output, before in _outputs.items()
        if output.exists()
    }
    return [
        *(("Fault inside the service", fault) for fault in _met),
        *((f"Output of {output.name}", text) for output, text in printed.items() if text),
    ]
