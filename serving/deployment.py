"""What has to be said once before workers start, where no command of ours starts them: in a Bento, say.

`holdfast serve` says all of it itself; what is in the environment already stays.
"""

import json
import os
import subprocess
import sys

from features.errors import RegistryError
from features.home import ROOT

BUNDLE, VERSION = "HOLDFAST_BUNDLE", "HOLDFAST_BUNDLE_VERSION"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
# MLflow takes hundreds of megabytes: another process asks the registry, and is gone before workers start.
_ASK = """
import json
from features.errors import HoldfastError
from features.home import home
from serving.bundle import fetch
try:
    folder, version = fetch(home())
    print(json.dumps({"folder": str(folder), "version": version}))
except HoldfastError as error:
    print(json.dumps({"error": str(error)}))
"""


def prepare() -> None:
    """Give workers one thread each for numbers, and the champion where no bundle was named.

    Raises RegistryError when there is none.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    if not os.environ.get(BUNDLE):
        os.environ[BUNDLE], os.environ[VERSION] = _champion()


def _champion() -> tuple[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    asked = subprocess.run(
        [sys.executable, "-c", _ASK], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    lines = asked.stdout.splitlines()
    told = json.loads(lines[-1]) if asked.returncode == 0 and lines else {"error": "the registry couldn't be asked"}
    if "error" in told:
        raise RegistryError(told["error"])
    return told["folder"], told["version"]
