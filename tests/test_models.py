"""Models that are made when they are first used, which may be by several threads at once."""

import subprocess
import sys

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pydantic import BaseModel, ValidationError

import app.main

THREADS = 8


def of(kind):
    for one in kind.__subclasses__():
        yield one
        yield from of(one)


models = [
    one
    for one in set(of(BaseModel))
    if one.__module__.startswith("app.") and not one.__pydantic_generic_metadata__["parameters"]
]
assert sum(not one.__pydantic_complete__ for one in models) > 100
sys.setswitchinterval(1e-6)
together = Barrier(THREADS)


def read(thread):
    for one in models:
        together.wait(10)
        try:
            one.model_validate({})
        except ValidationError:
            pass


with ThreadPoolExecutor(THREADS) as threads:
    list(threads.map(read, range(THREADS)))
"""


def test_many_threads_may_be_the_first_to_read_a_model() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
