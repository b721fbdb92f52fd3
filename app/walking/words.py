"""Names of streets as they are told from one another, however they are written."""

import re
import unicodedata

_SHORT = {
    "st": "street",
    "rd": "road",
    "ave": "avenue",
    "av": "avenue",
    "ln": "lane",
    "sq": "square",
    "ct": "court",
    "pl": "place",
    "ter": "terrace",
    "gdns": "gardens",
    "bldgs": "buildings",
    "yd": "yard",
}


def spoken(name: str) -> str:
    """A name or an address in plain words: `St. Mary’s Rd` is `street marys road`.

    That a saint becomes a street does no harm, as both sides are written so.
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"['’.]", "", plain)
    return " ".join(_SHORT.get(word, word) for word in re.findall(r"\w+", plain))
