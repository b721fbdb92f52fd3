"""How the files in `app/web/static/vendor` are made of published packages.

`python -m tests.web.vendoring FOLDER…` writes them anew from unpacked npm packages, and the
manifest beside them. Upstream's files are taken as they were compiled; each is changed by one
transformation, whose name the manifest holds.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import tinycss2
from tinycss2.ast import Declaration, Node, QualifiedRule

VENDOR = Path(__file__).parent.parent.parent / "app" / "web" / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"

PUBLIC_BLOCK = re.compile(
    "template|width-container|main-wrapper|skip-link|back-link|visually-hidden"
    "|body|body-[lms]|heading-(?:xl|[lms])|link|list|button|button-group|details"
    "|form-group|label|hint|input|textarea|fieldset|radios|error-message|error-summary"
)
"""The components of public pages. The console has them all."""

FIRST_BLOCK = re.compile("template|width-container|skip-link|visually-hidden")
"""Of those, what the first screen of the finder is made of, as every page's head is."""

NOT_PUBLIC = re.compile(
    r"--inverse|button--(warning|start)|button__start|input__|extra-letter|input--width-(?!10|20)"
    r"|list--spaced|radios--(small|inline)|radios__(divider|conditional)|--xl|textarea--(?!error)"
    r"|link--no-underline|link--text|--no-visited|list--link"
)
"""Of those, what no public page is made with."""

PUBLIC_MARGIN = re.compile(r"!-margin-((top|bottom)-)?[0-6]")
"""Classes that override a margin: GOV.UK's larger steps are for wide screens."""

OLD_BROWSERS = re.compile(r"-ms-high-contrast:none|screen\ufffd|-moz-document|not \(caret-color")
"""Conditions that held only in browsers which know no custom properties."""


def as_it_is(text: str) -> str:
    """Upstream's text."""
    return text


def without_source_map(text: str) -> str:
    """Upstream's text without the address of a map that isn't served."""
    return re.sub(
        r"\s*//# sourceMappingURL=\S+\s*\Z|\s*/\*# sourceMappingURL=\S+ \*/\s*\Z", "\n", text
    )


def without_pictures(css: str) -> str:
    """Leaflet's look without its pictures: havens have signs of their own."""
    return _edited(css, lambda rule: None if "url(" in tinycss2.serialize(rule.content) else rule)


def generic(css: str) -> str:
    """GOV.UK's components for another's service, read from either side.

    Without the typeface and the crest, which are the government's own; and with `start` and `end`
    for left and right, so that Arabic needs no second sheet.
    """
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = css.replace("GDS Transport,arial,sans-serif", "var(--sh-font)")

    def edit(rule: QualifiedRule) -> QualifiedRule | None:
        if "copyright-logo" in _selector(rule):
            return None
        rule.content = tinycss2.parse_component_value_list(_logical(rule))
        return rule

    return _edited(css, edit)


def generic_first_screen(css: str) -> str:
    """The same, but of components that the first screen of the finder has."""
    return _of(generic(css), _is_first)


def generic_public(css: str) -> str:
    """The same, but of components that public pages have further down."""
    return _of(generic(css), lambda names: _is_public(names) and not _is_first(names))


def _of(css: str, is_meant: Callable[[list[str]], bool]) -> str:
    """A sheet of those selectors alone whose components are meant."""

    def edit(rule: QualifiedRule) -> QualifiedRule | None:
        selectors = [s for s in _selector(rule).split(",") if is_meant(_components(s))]
        rule.prelude = tinycss2.parse_component_value_list(",".join(selectors))
        return rule if selectors else None

    return _edited(css, edit)


def _components(selector: str) -> list[str]:
    return [name.replace("\\", "") for name in re.findall(r"\.govuk-([\w\\!-]+)", selector)]


def _is_first(names: list[str]) -> bool:
    return bool(names) and all(FIRST_BLOCK.fullmatch(re.split("__|--", name)[0]) for name in names)


def _is_public(names: list[str]) -> bool:
    return all(
        PUBLIC_MARGIN.fullmatch(name)
        or (PUBLIC_BLOCK.fullmatch(re.split("__|--", name)[0]) and not NOT_PUBLIC.search(name))
        for name in names
    )


def _edited(css: str, edit: Callable[[QualifiedRule], QualifiedRule | None]) -> str:
    """Style rules edited one by one, or left out, wherever they are nested.

    Groups that are left empty go too, and those for browsers that nobody has.
    """

    def texts(nodes: Iterable[Node]) -> Iterator[str]:
        for node in nodes:
            if node.type == "qualified-rule":
                edited = edit(node)
                yield edited.serialize() if edited else ""
            elif node.type == "at-rule" and node.content is None:
                yield node.serialize()
            elif node.type == "at-rule":
                condition = f"@{node.at_keyword}{tinycss2.serialize(node.prelude)}"
                inside = "".join(texts(tinycss2.parse_rule_list(node.content, True, True)))
                is_dead = not inside or OLD_BROWSERS.search(condition)
                yield "" if is_dead else f"{condition}{{{inside}}}"
            else:
                raise ValueError(f"not understood: {node!r}")

    return "".join(texts(tinycss2.parse_stylesheet(css, True, True))) + "\n"


def _selector(rule: QualifiedRule) -> str:
    return str(tinycss2.serialize(rule.prelude))


_SIDES = {"left": "inline-start", "right": "inline-end"}


def _logical(rule: QualifiedRule) -> str:
    """The declarations of a rule, for either direction of writing."""
    declarations = tinycss2.parse_blocks_contents(rule.content, True, True)
    is_drawn = re.search(r"clip-path:|transform:\s*rotate", tinycss2.serialize(rule.content))
    return ";".join(text for d in declarations for text in _logical_declaration(d, bool(is_drawn)))


def _logical_declaration(declaration: Declaration, is_drawn: bool) -> Iterator[str]:
    name, value = declaration.name, tinycss2.serialize(declaration.value)
    important = "!important" if declaration.important else ""
    kind, _, side = name.partition("-")
    # What is drawn, clipped or turned, is mirrored as a whole by whoever shows it.
    kinds = ("margin", "padding") if is_drawn else ("margin", "padding", "border")
    parts = value.split()
    if name in _SIDES:
        yield f"inset-{_SIDES[name]}:{value}{important}"
    elif kind in kinds and side.split("-")[0] in _SIDES:
        side, *more = side.split("-")
        yield f"{'-'.join([kind, _SIDES[side], *more])}:{value}{important}"
    elif name in ("margin", "padding") and len(parts) == 4 and "(" not in value:
        yield f"{name}-block:{parts[0]} {parts[2]}{important}"
        yield f"{name}-inline:{parts[3]} {parts[1]}{important}"
    elif name == "text-align" and value in _SIDES:
        yield f"text-align:{_SIDES[value].removeprefix('inline-')}{important}"
    elif name == "float" and value in _SIDES:
        # Twice: browsers of before 2023 know only the first.
        yield f"float:{value}{important}"
        yield f"float:{_SIDES[value]}{important}"
    else:
        yield f"{name}:{value}{important}"


@dataclass(frozen=True)
class Package:
    """Where a vendored file comes from."""

    name: str
    version: str
    licence: str
    notice: str
    """What every copy has to say."""


GOVUK = Package(
    "govuk-frontend", "6.3.0", "MIT", "(C) 2017 Crown Copyright (Government Digital Service)"
)
LEAFLET = Package(
    "leaflet", "1.9.4", "BSD-2-Clause", "(c) 2010-2023 Volodymyr Agafonkin, 2010-2011 CloudMade"
)


@dataclass(frozen=True)
class Vendored:
    """A file of ours, and what it is made of."""

    file: str
    package: Package
    source: str
    transformation: Callable[[str], str]

    def made(self, upstream: str) -> str:
        """The file's text: upstream's, transformed, below a notice."""
        package = self.package
        notice = (
            f"/*! {package.name} {package.version} {package.notice}."
            f" {package.licence}: {package.name}.LICENSE. Changed: {self.change}. */\n"
        )
        text = self.transformation(upstream)
        # A sheet's charset comes first or counts for nothing; ours are served with theirs.
        return notice + text.removeprefix('@charset "UTF-8";')

    @property
    def change(self) -> str:
        """The transformation's name in words."""
        return self.transformation.__name__.replace("_", " ")


VENDORED = (
    Vendored("govuk-frontend.css", GOVUK, "dist/govuk/govuk-frontend.min.css", generic),
    Vendored("govuk-first.css", GOVUK, "dist/govuk/govuk-frontend.min.css", generic_first_screen),
    Vendored("govuk-finder.css", GOVUK, "dist/govuk/govuk-frontend.min.css", generic_public),
    Vendored("govuk-frontend.js", GOVUK, "dist/govuk/govuk-frontend.min.js", without_source_map),
    Vendored("leaflet.css", LEAFLET, "dist/leaflet.css", without_pictures),
    Vendored("leaflet.js", LEAFLET, "dist/leaflet.js", without_source_map),
)


def upstream(vendored: Vendored, folders: Iterable[Path]) -> str:
    """The text of a file as it was published. `StopIteration` where its package isn't given."""

    def is_its(folder: Path) -> bool:
        about = json.loads((folder / "package.json").read_text())
        return (about["name"], about["version"]) == (
            vendored.package.name,
            vendored.package.version,
        )

    return (next(filter(is_its, folders)) / vendored.source).read_text()


def checksum(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return sha256(text.encode()).hexdigest()


def vendor(folders: list[Path]) -> None:
    """Write every file and the manifest."""
    manifest = []
    for vendored in VENDORED:
        original = upstream(vendored, folders)
        text = vendored.made(original)
        (VENDOR / vendored.file).write_text(text)
        manifest.append(
            {
                "file": vendored.file,
                "package": vendored.package.name,
                "version": vendored.package.version,
                "licence": vendored.package.licence,
                "source": vendored.source,
                "sha256_upstream": checksum(original),
                "sha256": checksum(text),
                "transformation": vendored.change,
            }
        )
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    vendor([Path(argument) for argument in sys.argv[1:]])
