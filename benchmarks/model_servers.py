"""Other servers of the churn booster alone: MLflow's own, and FastAPI with LightGBM's scikit-learn classifier."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import lightgbm as lgb
import pandas as pd
from fastapi import Body, FastAPI
from sklearn.preprocessing import LabelEncoder

from benchmarks.crowded import Crowd
from benchmarks.load import post
from features.contract import CONTRACT
from features.home import ROOT
from serving.run import free_port

_MODEL = "BENCHMARK_MODEL"
_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 120
Peers = dict[str, tuple[str, bytes]]


@contextmanager
def peers(crowd: Crowd) -> Iterator[Peers]:
    """Keep both up; yields by name the address and a request for one row's churn."""
    folder = crowd.bundle / "trees" / "churn-1"
    row = dict.fromkeys(CONTRACT.names, 1.0)
    split = {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    by_mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
    by_fastapi = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.model_servers:application"]
    quiet = ["--no-access-log", "--log-level", "warning"]
    with ExitStack() as kept:
        yield {
            "mlflow models serve": (
                kept.enter_context(_running([*by_mlflow, "--workers", "1"], "/health", folder)),
                post("/invocations", json.dumps(split).encode()),
            ),
            "FastAPI with LGBMClassifier": (
                kept.enter_context(_running([*by_fastapi, *quiet], "/health", folder)),
                post("/predict", json.dumps(row).encode()),
            ),
        }


@contextmanager
def _running(command: list[str], health: str, model: Path) -> Iterator[str]:
    port = free_port(_HOST, 0)
    # MLflow starts uvicorn by its name.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    told = {_MODEL: str(model / "model.lgb"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": path}
    process = subprocess.Popen(
        [*command, "--host", _HOST, "--port", str(port)], env={**os.environ, **told}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with suppress(AttributeError):
        # On one core, as ours is; only Linux can.
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    try:
        _wait(f"http://{_HOST}:{port}{health}", process)
        yield f"http://{_HOST}:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(_PATIENCE_SECONDS * 4):
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        if process.poll() is not None:
            raise RuntimeError(f"expected a server at {url}, found that it ended with {process.returncode}")
        time.sleep(0.25)
    raise TimeoutError(f"expected a server at {url} within {_PATIENCE_SECONDS} s, found none")


def application() -> FastAPI:
    """Make the application that is written everywhere: a frame of one row, and the classifier's probability."""
    app, model = FastAPI(), classifier(os.environ[_MODEL])

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/predict")
    def predict(row: dict[str, float | None] = Body()) -> dict[str, float]:  # noqa: B008
        frame = pd.DataFrame([row], columns=list(CONTRACT.names), dtype="float64")
        return {"churn_risk": float(model.predict_proba(frame)[0, 1])}

    return app


def classifier(file: str) -> Any:
    """Put a booster into LightGBM's classifier, which has no way of its own to take one."""
    model: Any = lgb.LGBMClassifier(n_jobs=1)
    booster = lgb.Booster(model_file=file)
    model._Booster, model.fitted_, model._n_classes, model._objective = booster, True, 2, "binary"
    model._n_features = model._n_features_in = booster.num_feature()
    model._le = LabelEncoder().fit([0, 1])
    model._class_map, model._classes = {0: 0, 1: 1}, model._le.classes_
    return model
