"""QR codes of our own public addresses."""

import io

import segno


def qr_code(address: str) -> str:
    """The code of an address as SVG, one unit a module; empty when there is no address.

    A quarter of it may be lost to a scratch or a fold (level Q). The white around it is the page's.
    """
    if not address:
        return ""
    drawn = io.BytesIO()
    segno.make(address, error="q", micro=False).save(drawn, kind="svg", border=0, xmldecl=False)
    return drawn.getvalue().decode()
