"""A folder in memory for what workers count, so that a full disk doesn't end them.

They map the files of their counts into memory (prometheus-client), which are sparse: a page that the disk has no room
for ends a process with SIGBUS, and whatever is started in its place, too.
"""

import hashlib
import os
import stat
from pathlib import Path

from features.home import Home

MEMORY = Path("/dev/shm")


def volatile(home: Home, memory: Path = MEMORY) -> Path:
    """Make a folder in memory that is this home's and this user's alone; where that can't be, on disk."""
    name = hashlib.blake2b(str(home.folder).encode(), digest_size=8).hexdigest()
    folder = memory / f"holdfast-{os.getuid()}-{name}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return home.data / "bentoml"
    # Anybody may write there: what isn't ours may be read, or lead elsewhere.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if ours else home.data / "bentoml"
