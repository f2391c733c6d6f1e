"""What lies in deploy/ fits what there is: metrics, files, names, and no secrets."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.home import ROOT, Home
from holdfast import health_metrics
from serving.run import Server
from tests.servers import asking, families, metric_names

DEPLOY = ROOT / "deploy"


def expressions() -> list[tuple[str, str]]:
    """List every PromQL expression of the dashboard and the alerts, by where it stands."""
    panels = json.loads((DEPLOY / "grafana" / "holdfast.json").read_text())["panels"]
    shown = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return shown + [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def there(watched: tuple[Server, Home], tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Name every series that a real server tells after some traffic, and those that health leaves beside."""
    with asking(watched[0]) as client:
        decided = client.post("/v1/decisions", json={"customer": "8", "channel": "phone"}).json()
        report = {"decision_id": decided["decision_id"], "offer": decided["offers"][0]["offer"], "status": "presented"}
        client.post("/v1/outcomes", json=report)
        client.post("/v1/decisions", json={"customer": "8", "channel": "fax"})
        told = families(client.get("/metrics").text)
    left = tmp_path_factory.mktemp("health") / "holdfast_health.prom"
    health_metrics.write(report_of_health(), left)
    return told | families(left.read_text())


def report_of_health() -> dict[str, Any]:
    """Make up what holdfast health answers, in the shape of its own checks (tests/test_health_command.py)."""
    ratio, share = {"of": 1.0, "low": 0.9, "high": 1.1}, {"of": 0.8, "low": 0.7, "high": 0.9}
    said = {"ratio": ratio, "expected": 0.2, "observed": 0.2, "customers": 100}
    checks = {
        "churn rate (base, 2017-12-04)": said,
        "value total (base, 2017-12-04)": said,
        "churn calibration (base, 2017-12-04)": {"slope": ratio},
        "next purchase (decisions)": {"now": share, "tested": 0.8},
        "feature drift": {"features": [{"feature": "baskets_91", "index": 0.1, "limit": 0.25}]},
    }
    listed = [{"name": name, "verdict": "well", "figures": figures} for name, figures in checks.items()]
    return {"as_of": datetime(2026, 11, 26, tzinfo=UTC).isoformat(), "checks": listed}


def test_every_metric_that_the_dashboard_and_the_alerts_ask_for_is_told(there: set[str]):
    asked = {(place, name) for place, expression in expressions() for name in metric_names(expression)}
    assert len(asked) > 60
    assert [(place, name) for place, name in sorted(asked) if name not in there] == []


def test_every_metric_that_is_told_is_in_the_table_of_the_page(there: set[str]):
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there}
    assert [name for name in sorted(names) if name not in page and not told_by_its_end(name, page)] == []


def told_by_its_end(name: str, page: str) -> bool:
    """Tell whether the page names a metric's end in the row of its beginning, as in `holdfast_a_b`, `_c`."""
    for line in page.splitlines():
        first = re.match(r"\| `(holdfast_\w+)`", line)
        ends = re.findall(r"`(_\w+)`", line)
        if first and any(name in (first[1] + end, first[1].rpartition("_")[0] + end) for end in ends):
            return True
    return False


def test_every_alert_is_on_the_page_with_what_to_do():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    alerts = {place for place, _ in expressions() if place.startswith("Holdfast")}
    assert len(alerts) > 10
    assert alerts == set(re.findall(r"Holdfast[A-Z]\w+", page))


def test_every_variable_that_the_code_reads_is_on_the_page():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rooms = ("features", "models", "training", "serving", "holdfast")
    code = "".join(file.read_text(encoding="utf-8") for room in rooms for file in (ROOT / room).rglob("*.py"))
    assert [name for name in sorted(set(re.findall(r"\bHOLDFAST_[A-Z_]+\b", code))) if f"`{name}`" not in page] == []


def composed() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def test_whatever_compose_mounts_and_builds_from_is_there():
    services = composed()["services"]
    mounted = [volume.split(":")[0] for one in services.values() for volume in one.get("volumes", ())]
    here = [DEPLOY / source for source in mounted if source.startswith(".")]
    assert len(here) >= 5
    assert [path for path in here if not path.exists()] == []
    named = {source for source in mounted if not source.startswith(".")}
    assert named == set(composed()["volumes"])
    docker = (DEPLOY / "Dockerfile").read_text()
    copied = [line.split()[1:-1] for line in docker.splitlines() if line.startswith("COPY")]
    assert [one for many in copied for one in many if not (ROOT / one).exists()] == []


def test_no_secret_stands_in_what_is_deployed():
    for file in filter(Path.is_file, DEPLOY.rglob("*")):
        for line in file.read_text(encoding="utf-8").splitlines():
            secret = re.search(r"(?i)\w*(?:password|secret|token)\w*\s*[:=]\s*(\S+)", line.partition("#")[0])
            # A list names files, which hold them.
            assert secret is None or secret[1].startswith(("${", "[")), f"{file}: {line}"


def test_services_of_compose_know_each_other_by_name():
    services = composed()["services"]
    places = services["holdfast"]["environment"]
    assert {"postgres", "mlflow"} <= set(services)
    assert re.search(r"@(\w+)/", places["HOLDFAST_DATABASE_URL"])[1] == "postgres"  # type: ignore[index]
    assert places["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert "--allowed-hosts=mlflow:5000,localhost:5000" in services["mlflow"]["command"]
    asked = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert asked["dns_sd_configs"][0]["names"][0] in services
    assert "holdfast:3000" in (DEPLOY / "haproxy" / "haproxy.cfg").read_text()


def test_a_bento_holds_all_that_the_service_reads():
    included = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    rooms = ("features", "models", "training", "serving", "holdfast", "playbook")
    files = [
        file.relative_to(ROOT) for room in rooms for file in (ROOT / room).rglob("*") if file.suffix in (".py", ".toml")
    ]
    assert Path("features/migrations/env.py") in files
    missed = [str(file) for file in files if not any(fnmatch(str(file), one.replace("**/", "*")) for one in included)]
    assert missed == []


# The units are for machines with systemd, which alone can read them: elsewhere (macOS, containers) nobody uses them.
# Where it is there, as on most Linux machines, this runs.
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda file: file.name)
def test_units_are_what_systemd_understands(unit: Path, tmp_path: Path):
    for one in unit.parent.iterdir():
        text = one.read_text().replace("/opt/holdfast/.venv/bin/holdfast", "/bin/true")
        (tmp_path / one.name).write_text(text.replace("/opt/holdfast/deploy/task", "/bin/true"))
    name = unit.name.replace("@.", "@backup.")
    shutil.copy(tmp_path / unit.name, tmp_path / name) if name != unit.name else None
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_tasks_that_timers_ask_for_are_known():
    timers = [file.stem.partition("@")[2] for file in (DEPLOY / "systemd").glob("*@*.timer")]
    task = (DEPLOY / "task").read_text()
    assert sorted(timers) == ["backup", "health", "train"]
    assert all(re.search(rf"^{name}\)", task, re.MULTILINE) for name in timers)


def test_of_nightly_backups_fourteen_are_kept_and_what_migrate_wrote_stays(tmp_path: Path):
    folder = tmp_path / "data" / "backups"
    folder.mkdir(parents=True)
    days = [f"2026-10-{day:02d}.backup" for day in range(1, 21)]
    for name in (*days, "version-0002-20261001T000000.backup"):
        (folder / name).touch()
    (tmp_path / "holdfast").write_text('#!/bin/sh\ntouch "$2"\n')
    (tmp_path / "holdfast").chmod(0o755)
    asked = {"HOLDFAST_HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run([DEPLOY / "task", "backup"], env=asked, check=True)
    left = sorted(file.name for file in folder.iterdir())
    today = f"{datetime.now(UTC):%Y-%m-%d}.backup"
    assert left == [*days[-13:], today, "version-0002-20261001T000000.backup"]
    done = subprocess.run([DEPLOY / "task", "sweep"], env=asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "expected backup, health or train, found 'sweep'\n")
