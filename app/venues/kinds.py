"""What kinds of venues there are, and what is told of them."""

from enum import StrEnum


class Category(StrEnum):
    PUB = "pub"
    BAR = "bar"
    NIGHTCLUB = "nightclub"
    RESTAURANT = "restaurant"
    CAFE = "cafe"
    HOTEL = "hotel"
    OFFICE = "office"
    LIBRARY = "library"
    CULTURE = "culture"
    SHOP = "shop"
    WORSHIP = "worship"
    TRANSPORT = "transport"
    COMMUNITY = "community"
    HELP_POINT = "help_point"


class Facility(StrEnum):
    """What a person can find there. The order is the order of bits in the read side."""

    WATER = "water"
    SEAT = "seat"
    TOILET = "toilet"
    PHONE_CHARGING = "phone_charging"
    PHONE = "phone"
    WIFI = "wifi"
    FIRST_AID = "first_aid"
    QUIET_SPACE = "quiet_space"
    CCTV = "cctv"


class StepFree(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
