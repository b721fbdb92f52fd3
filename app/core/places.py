"""Places on the earth, and how far it is from one to another."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M = 6_371_008.77
"""Mean radius of WGS 84, the sphere that PostGIS measures `ST_Distance(…, false)` on."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in degrees, WGS 84. Raises ValueError when it is not on the earth."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        if not -90 <= self.lat <= 90:
            raise ValueError("latitude must lie between -90 and 90")
        if not -180 <= self.lon <= 180:
            raise ValueError("longitude must lie between -180 and 180")


def haversine_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres between two places in degrees."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi, half_lambda = (phi2 - phi1) / 2, math.radians(lon2 - lon1) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def nearness(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A key that sorts near places near each other: the bits of both degrees interleaved."""
    key = np.zeros(len(lat), dtype=np.uint64)
    for shift, degrees in enumerate((lat + 90, lon + 180)):
        bits = (degrees * (2**31 / 360)).astype(np.uint64)
        for step, mask in (
            (16, 0x0000FFFF0000FFFF),
            (8, 0x00FF00FF00FF00FF),
            (4, 0x0F0F0F0F0F0F0F0F),
            (2, 0x3333333333333333),
            (1, 0x5555555555555555),
        ):
            bits = (bits | (bits << np.uint64(step))) & np.uint64(mask)
        key |= bits << np.uint64(shift)
    return key
