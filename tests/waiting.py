"""A process that waits to be ended."""

import time

from serving.child import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    time.sleep(60)
