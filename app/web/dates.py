"""Days as people write them."""

from datetime import date

from app.http.languages import Language


def written(language: Language, day: date) -> str:
    """A day, as `3 Nov 2026`."""
    _ = language.gettext
    months = (
        _("Jan"),
        _("Feb"),
        _("Mar"),
        _("Apr"),
        _("May"),
        _("Jun"),
        _("Jul"),
        _("Aug"),
        _("Sep"),
        _("Oct"),
        _("Nov"),
        _("Dec"),
    )
    form = _("{day} {month} {year}")
    return form.format(day=day.day, month=months[day.month - 1], year=day.year)
