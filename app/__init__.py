"""Safe Havens."""

import gc
import os

# What is imported stays: to look through it again and again is a quarter of the work of a start.
gc.set_threshold(50_000, 20, 50)

# A process with threads can't fork safely, and nothing here has use for numpy's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
