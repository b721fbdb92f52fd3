"""Charts as SVG, for a page and for print alike; each says in words what it shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

WIDTH = 640
_LABELS, _VALUES = 214, 96
_BARS = WIDTH - _LABELS - _VALUES
_STEP, _BAR, _TOP = 24, 13, 30
_CLOSE_STEP, _CLOSE_BAR, _MANY = 18, 11, 12
_LONGEST = 32

INK, SOFT, GREY = "#1f3a5f", "#8fb0d0", "#6b6b6b"
# The first that a reader has: on a page its style sheet says better, in print this one is there.
_FONT = "Libertinus Serif, sans-serif"


@dataclass(frozen=True)
class Bar:
    """One line: `parts` stand one behind the other, `before` is a mark; `shown` says the value."""

    label: str
    parts: tuple[float, ...]
    shown: str
    before: float | None = None


@dataclass(frozen=True)
class Chart:
    """A drawing, and what it says to those who can't see it."""

    title: str
    about: str
    svg: str


def bars(
    title: str,
    lines: Sequence[Bar],
    legend: Sequence[str],
    *,
    most: float | None = None,
    limits: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Bars beside each other, from nothing to `most`, with a line at each of the limits.

    `legend` names the parts of a bar and, after them, the mark for the time before.
    """
    about = f"{title}. " + "; ".join(f"{line.label}: {line.shown}" for line in lines) + "."
    top = _TOP + (_STEP / 2 if limits else 0)
    step, thick = (_CLOSE_STEP, _CLOSE_BAR) if len(lines) > _MANY else (_STEP, _BAR)
    height = top + step * len(lines) + 4
    svg = _canvas(title, about, height)
    _draw_legend(svg, legend, has_before=any(line.before is not None for line in lines))
    scale = _BARS / (most or _largest(lines))
    bottom = height - 4
    for limit, name in limits:
        x = _LABELS + limit * scale
        _add(svg, "line", x1=x, x2=x, y1=top - 4, y2=bottom, stroke=GREY, stroke_dasharray="2 3")
        _text(svg, x, top - 8, name, GREY, anchor="middle", size="11")
    axis = {"x1": _LABELS, "x2": _LABELS, "y1": top - 4, "y2": bottom}
    _add(svg, "line", **axis, stroke=GREY, stroke_dasharray="none")
    for place, line in enumerate(lines):
        _draw(svg, line, top + place * step, thick, scale)
    return Chart(title, about, ET.tostring(svg, encoding="unicode"))


@dataclass(frozen=True)
class Line:
    """How one share went, place by place; None where it was not known."""

    label: str
    shares: Sequence[float | None]


_HIGH, _LEFT, _RIGHT, _APART = 210, 40, 226, 13
_NAMED = 9
_LINES = (INK, "#a3271d", "#2f6b3a", "#7a4b94", "#a86400", "#3d7f8c")
_DASHES = ("none", "6 3", "2 2", "9 3 2 3", "12 4", "4 4")


def lines(title: str, places: Sequence[str], drawn: Sequence[Line]) -> Chart:
    """Shares from nothing to all, at places of equal distance; each line is told by its dashes and
    by its name at its end."""
    in_words = (
        f"{line.label}: "
        + ", ".join("none" if share is None else f"{share:.1%}" for share in line.shares)
        for line in drawn
    )
    about = f"{title} ({', '.join(places)}). {'; '.join(in_words)}."
    svg = _canvas(title, about, _HIGH + 40)
    wide = WIDTH - _LEFT - _RIGHT
    xs = [_LEFT + wide * place / max(1, len(places) - 1) for place in range(len(places))]
    for percent in (0, 25, 50, 75, 100):
        y = _height(percent / 100)
        _add(svg, "line", x1=f"{_LEFT}", x2=f"{_LEFT + wide}", y1=y, y2=y, stroke="#d9d9d6")
        _text(svg, _LEFT - 6, y + 4, f"{percent}%", GREY, anchor="end", size="11")
    # The last place is named, and before it as many as have room.
    every = -(-len(places) // _NAMED) or 1
    for x, place in list(zip(xs, places, strict=True))[::-every]:
        _text(svg, x, _HIGH + 30, place, GREY, anchor="middle", size="11")
    ends_at = [next((s for s in reversed(line.shares) if s is not None), None) for line in drawn]
    names_at = _apart([_height(share) for share in ends_at if share is not None])
    for number, line in enumerate(drawn):
        colour, dashes = _LINES[number % len(_LINES)], _DASHES[number % len(_DASHES)]
        known = [(x, _height(s)) for x, s in zip(xs, line.shares, strict=True) if s is not None]
        if not known:
            continue
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
        stroke = {"stroke": colour, "stroke_width": "2", "stroke_dasharray": dashes}
        _add(svg, "polyline", points=points, fill="none", **stroke)
        for x, y in known:
            _add(svg, "circle", cx=x, cy=y, r=2.5, fill=colour)
        (_, y), beside = known[-1], next(names_at)
        _text(svg, _LEFT + wide + 10, beside + 4, _short(line.label), colour, size="11")
    return Chart(title, about, ET.tostring(svg, encoding="unicode"))


def _height(share: float) -> float:
    return 10 + _HIGH * (1 - share)


def _apart(heights: Sequence[float]) -> Iterator[float]:
    """Where names go that are not to lie on each other, in the order of what they name."""
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    placed: dict[int, float] = {}
    lowest = 0.0
    for number in order:
        placed[number] = max(heights[number], lowest)
        lowest = placed[number] + _APART
    highest = float(_height(0))
    for number in reversed(order):
        placed[number] = min(placed[number], highest)
        highest = placed[number] - _APART
    return iter([placed[number] for number in range(len(heights))])


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _canvas(title: str, about: str, height: float) -> ET.Element:
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height:g}",
            "width": str(WIDTH),
            "height": f"{height:g}",
            "role": "img",
            "font-family": _FONT,
            "font-size": "12",
        },
    )
    ET.SubElement(svg, "title").text = title
    ET.SubElement(svg, "desc").text = about
    return svg


def _largest(lines: Sequence[Bar]) -> float:
    return max((max(sum(line.parts), line.before or 0) for line in lines), default=0) or 1


def _draw(svg: ET.Element, line: Bar, y: float, thick: float, scale: float) -> None:
    _text(svg, _LABELS - 8, y + thick - 2.5, _short(line.label), "#222", anchor="end")
    x = float(_LABELS)
    for part, colour in zip(line.parts, (INK, SOFT), strict=False):
        _box(svg, x, y, part * scale, thick, colour)
        x += part * scale
    if line.before is not None:
        mark = _LABELS + line.before * scale
        _box(svg, mark - 1.75, y - 2, 3.5, thick + 4, "#ffffff")
        _box(svg, mark - 0.75, y - 2, 1.5, thick + 4, "#222222")
    _text(svg, WIDTH - 2, y + thick - 2.5, line.shown, "#222", anchor="end")


def _draw_legend(svg: ET.Element, legend: Sequence[str], *, has_before: bool) -> None:
    x = float(_LABELS)
    for place, name in enumerate(legend):
        if has_before and place == len(legend) - 1:
            _box(svg, x + 4, 2, 1.5, 12, "#222222")
        else:
            _box(svg, x, 3, 10, 10, (INK, SOFT)[place])
        _text(svg, x + 14, 12, name, GREY, size="12")
        x += 26 + 6.2 * len(name)


def _box(svg: ET.Element, x: float, y: float, width: float, height: float, colour: str) -> None:
    _add(svg, "rect", x=x, y=y, width=width, height=height, fill=colour)


def _text(
    svg: ET.Element,
    x: float,
    y: float,
    text: str,
    colour: str,
    *,
    anchor: str = "start",
    size: str = "12",
) -> None:
    element = _add(svg, "text", x=x, y=y, text_anchor=anchor, font_size=size, fill=colour)
    element.text = text


def _add(svg: ET.Element, tag: str, **attributes: float | str) -> ET.Element:
    """Draw an element: a number is given to a tenth, and `stroke_width` is `stroke-width`."""
    written = {
        name.replace("_", "-"): value if isinstance(value, str) else f"{value:.1f}"
        for name, value in attributes.items()
    }
    return ET.SubElement(svg, tag, written)
