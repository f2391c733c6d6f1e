"""The models beside the best simple rule, on real data: `python -m benchmarks.models [--cdnow FILE] [--json]`.

Complete Journey comes from its PyPI wheel. CDNOW is `CDNOW_master.txt` of the PyPI wheel `Lifetimes`; name it to have
it in the run. The test window is the last horizon of each; nothing is chosen on it.
"""

import tempfile
from pathlib import Path

from benchmarks.report import Row, options, say
from features.clock import after_history, live
from features.definitions import NAMES
from features.glossary import load_glossary
from features.history import History
from features.home import ROOT
from features.sources.ingest import ingest
from features.sources.source import find_source
from holdfast.learning import plan_of
from holdfast.sample import SOURCE, wheel
from training.boosting import Fit
from training.pipeline import train


def main() -> None:
    """Train on each data set and print every figure that has a rule beside it."""
    parser = options(__doc__ or "")
    parser.add_argument("--cdnow", type=Path, help="CDNOW_master.txt")
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    sets = {SOURCE: wheel()} | ({"cdnow": told.cdnow} if told.cdnow else {})
    rows = [row for source, path in sets.items() for row in judged(source, path, told.threads)]
    say("On the test window; the ratio is ours to the best simple rule's", rows, told.json)


def judged(source: str, path: Path, threads: int) -> list[Row]:
    """Ingest one data set into a store of its own, train, and lay its figures beside the rules'."""
    playbook = ROOT / "playbook"
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        ingest(history, find_source(playbook / "sources", source), [path], Path(folder) / "quarantine", live())
        known = history.known_by(after_history(history.newest)())
        history.close()
    plan = plan_of(load_glossary(playbook / "glossary.toml", NAMES))
    figures = train(known, plan, Fit(threads=threads), lambda name, done, total: None).figures
    return [
        Row(
            f"{source}: {figure.model} {figure.metric} against {figure.best_baseline}",
            figure.ours,
            figure.baselines[figure.best_baseline],
            figure.ours / figure.baselines[figure.best_baseline],
            f"gain surely above 0 ({figure.gain_low:+.3f} … {figure.gain_high:+.3f})",
            (figure.gain_low or 0.0) > 0,
        )
        for figure in figures
        if figure.best_baseline is not None
    ]


if __name__ == "__main__":
    main()
