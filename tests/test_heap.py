"""A worker's heap: settled once, and kept small."""

import subprocess
import sys

SCRIPT = """
import ctypes, gc, threading
from serving import heap
heap._GIVEN_BACK_EVERY_SECONDS = 0.01
heap.settle()
assert gc.get_freeze_count() > 1_000 and gc.get_threshold()[0] == 20_000
trimmed = threading.Event()
class Library:
    def malloc_trim(self, _):
        trimmed.set()
heap.ctypes.CDLL = lambda _: Library()
heap.keep_small()
assert trimmed.wait(5)
heap.ctypes.CDLL = lambda _: object()
heap.keep_small()
print(sorted(one.name for one in threading.enumerate()))
"""


def test_it_is_left_alone_once_settled_and_given_back_where_the_library_can() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert told.stdout.strip() == "['MainThread', 'heap']", told.stderr
