"""Documents as tagged PDF by Typst, set in fonts that come with the program.

The same template and data make the same file wherever it is made.
"""

from functools import cache
from pathlib import Path
from typing import Literal

import fontpkg_noto_sans
import fontpkg_noto_sans_arabic

FONTS = ("Noto Sans", "Noto Sans Arabic")
"""What paper for the public is set in; templates that name no others have Typst's own too."""

_FILES: list[Path] = [
    Path(family.ROOT) / "files" for family in (fontpkg_noto_sans, fontpkg_noto_sans_arabic)
]


def typeset(template: Path, data: str, made_at: int) -> bytes:
    """A PDF to the rules of PDF/UA-1; `data` is JSON, `made_at` seconds since 1970.

    A template finds the data in `sys.inputs.data`, as text: nothing anybody wrote becomes markup.
    """
    # 7 MB, for the few who have something printed.
    import typst  # noqa: PLC0415

    def compiled(*standards: Literal["ua-1"], ignore_system_fonts: bool) -> bytes:
        return typst.compile(
            template,
            font_paths=_FILES,
            sys_inputs={"data": data},
            timestamp=made_at,
            pdf_standards=list(standards),
            ignore_system_fonts=ignore_system_fonts,
        )

    try:
        # No font of this machine, so that the file is the same wherever it is made.
        return compiled("ua-1", ignore_system_fonts=True)
    except typst.TypstError:
        # PDF/UA wants a glyph for everything, and no font has those of all scripts. What is lost
        # here is the promise alone: it is tagged as before.
        return compiled(ignore_system_fonts=False)


@cache
def has_letters(text: str) -> bool:
    """Whether `FONTS` have every letter of a text, as Typst itself finds when it sets it."""
    import typst  # noqa: PLC0415  as above

    fonts = ", ".join(f'"{font}"' for font in FONTS)
    document: bytes = (
        '#set document(title: "letters")\n'
        f"#set text(font: ({fonts},), fallback: false)\n"
        "#sys.inputs.text"
    ).encode()
    try:
        typst.compile(
            document,
            font_paths=typst.Fonts(include_system_fonts=False, font_paths=_FILES),
            sys_inputs={"text": text},
            pdf_standards=["ua-1"],
            ignore_system_fonts=True,
        )
    except typst.TypstError:
        return False
    return True
