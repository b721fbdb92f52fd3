"""The program that sets one document: `python -m app.web.paper.program TEMPLATE MADE_AT`.

The data comes as JSON on its input, the PDF goes to its output.
"""

import os
import sys
from pathlib import Path

LOWEST = 19


def main(template: str, made_at: str) -> None:
    """Set the document, at the lowest priority: whoever asks where to go comes first."""
    os.nice(LOWEST)
    # Only now, for it takes as long as the document.
    from app.core.typesetting import typeset  # noqa: PLC0415

    sys.stdout.buffer.write(typeset(Path(template), sys.stdin.read(), int(made_at)))


if __name__ == "__main__":
    main(*sys.argv[1:])
