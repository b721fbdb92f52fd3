"""The words of an answer, in one language: said on the server and on the phone from one table.

What stands in braces is put in later. A list holds a message's forms by number, in the order of
the catalogue.
"""

from datetime import date, datetime, timedelta
from functools import cache

from app.core.london import LONDON
from app.http.languages import Language
from app.venues.kinds import Category, Facility, StepFree
from app.walking.steps import HEADINGS
from app.walking.wording import headings

Words = dict[str, str | list[str]]


@cache
def words(language: Language) -> Words:
    """The table."""
    _ = language.gettext
    return {
        # When
        "Mon": _("Monday"),
        "Tue": _("Tuesday"),
        "Wed": _("Wednesday"),
        "Thu": _("Thursday"),
        "Fri": _("Friday"),
        "Sat": _("Saturday"),
        "Sun": _("Sunday"),
        "day_time": _("{day} {time}"),
        "time_on_day": _("{time} on {day}"),
        "open_until": _("Open until {time}"),
        "open_always": _("Open day and night"),
        "closes_at": _("Closes at {time}"),
        "opens_at": _("Opens at {time}"),
        "closed": _("Closed, and not known to open"),
        "hours_unknown": _("Opening hours not known"),
        # How far, and which way
        "min": _("{n} min"),
        "walking_streets": _("Minutes on foot, over the streets"),
        "walking_estimate": _("Minutes on foot, an estimate"),
        "way": _("The way, {minutes}"),
        "way_drawn": _("Sketch of the way to {name}. Its steps are written below."),
        "you": _("You"),
        "way_loading": _("Fetching the streets…"),
        "no_streets": _("The streets can’t be loaded. Try again when there is a connection."),
        "no_way": _("No way over the streets is known from here. Follow the arrow."),
        "minutes": language.forms("{n} minute", "{n} minutes"),
        **headings(language),
        # What there is
        Category.PUB: _("Pub"),
        Category.BAR: _("Bar"),
        Category.NIGHTCLUB: _("Nightclub"),
        Category.RESTAURANT: _("Restaurant"),
        Category.CAFE: _("Café"),
        Category.HOTEL: _("Hotel"),
        Category.OFFICE: _("Office"),
        Category.LIBRARY: _("Library"),
        Category.CULTURE: _("Museum or theatre"),
        Category.SHOP: _("Shop"),
        Category.WORSHIP: _("Place of worship"),
        Category.TRANSPORT: _("Station or pier"),
        Category.COMMUNITY: _("Community place"),
        Category.HELP_POINT: _("Help point"),
        Facility.WATER: _("Water"),
        Facility.SEAT: _("Seat"),
        Facility.TOILET: _("Toilet"),
        Facility.PHONE_CHARGING: _("Phone charger"),
        Facility.PHONE: _("Phone to use"),
        Facility.WIFI: _("Wi-Fi"),
        Facility.FIRST_AID: _("First aid"),
        Facility.QUIET_SPACE: _("Quiet room"),
        Facility.CCTV: _("CCTV"),
        "step_free_yes": _("Step-free: yes"),
        "step_free_no": _("Step-free: no"),
        "step_free_unknown": _("Step-free: not known"),
        # The answer
        "found": _("Nearest open door"),
        "spoken": _("Nearest open door: {name}, {minutes}, {direction}, {state}."),
        "more_below": language.forms("{n} more below.", "{n} more below."),
        "updated": _("{now}. Updates as you walk."),
        "as_of": _("{now}, seen from {place}."),
        "next_opens": _("The next door opens at {time}"),
        "none_known": _("No haven is known to open"),
        "none_title": _("Nothing open now"),
        "it_is": _(
            "It is {now}. If you are in danger, call 999 now. You need not wait for a door."
        ),
        "open_now": language.forms("{n} open", "{n} open"),
        "closing_soon": _("You would get there, but with less than five minutes to spare."),
        "nearest_without": _(
            "No open place has all of that. The nearest without it is {minutes} away."
        ),
        "far": _("The nearest haven is {km} km away. Call 999 in danger, 101 if not."),
        "from_neighbour": _("From {name}, as of {then}"),
        "share": _("I am going to {name}, {address}. It is a Safe Haven. {state}."),
        # The list kept on the phone
        "loading": _("Fetching the list of havens…"),
        "kept": _("No connection. This is the list of {then}, kept on this phone."),
        "old": _(
            "This list is from {then}. Hours may have changed: call before you walk, if you can."
        ),
        "no_list": _(
            "The list of havens can’t be loaded. If you are in danger, call 999. Try again when"
            " there is a connection."
        ),
        # While looking, and without a position
        "never_see": _("We never see where you are."),
        "looking": _("Looking for where you are…"),
        "still_looking": _("Still looking. You can type a place instead."),
        "refused": _("This browser is not allowed to use your phone’s position. That’s all right."),
        "failed": _(
            "Your phone can’t find where it is. This happens indoors and between tall buildings."
            " Tell us a place, or try again in the open."
        ),
        "absent": _("This browser can’t tell where the phone is. That’s all right."),
        "place_instead": _("Tell us a place instead"),
        "place_unknown": _(
            "We don’t know “{text}”. Type a street or a postcode, or choose a ward."
        ),
        "place_several": _("Which “{text}” do you mean?"),
        "place_meant": _("We don’t know “{text}”. Did you mean one of these?"),
        "place_empty": _("Type a postcode, a street, a ward or the name of a place."),
    }


def local(language: Language, moment: datetime, now: datetime) -> str:
    """A moment as London's clocks show it, with the day unless it is today or within 12 hours."""
    there, here = moment.astimezone(LONDON), now.astimezone(LONDON)
    time = f"{there:%H:%M}"
    if there.date() == here.date() or abs(moment - now) < timedelta(hours=12):
        return time
    return with_day(language, moment, "time_on_day")


def with_day(language: Language, moment: datetime, form: str = "day_time") -> str:
    """A moment as London's clocks show it, with its day of the week."""
    there = moment.astimezone(LONDON)
    day = weekday(language, there)
    return str(words(language)[form]).format(day=day, time=f"{there:%H:%M}")


def weekday(language: Language, day: date) -> str:
    """The name of a day of the week."""
    name = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]
    return str(words(language)[name])


def direction(language: Language, bearing_deg: int) -> str:
    """One of eight directions."""
    eighth = HEADINGS[round(bearing_deg / 45) % 8]
    return str(words(language)[eighth])


def step_free(language: Language, value: StepFree) -> str:
    """Whether one gets in without steps, in full."""
    return str(words(language)[f"step_free_{value}"])
