"""Check the README's figures against what a whole demonstration printed: `python -m tests.figures LOG`.

The tests run the demonstration on few households and compare its words; CI runs it whole, and compares the numbers.
"""

import re
import sys
from pathlib import Path

from features.home import ROOT

_NUMBER = re.compile(r"\d[\d,]*\.?\d*")
_TOLERANCE = 0.03


def differing(readme: str, log: str) -> list[str]:
    """List the README's lines whose numbers the demonstration didn't print, to within three in a hundred."""
    shown = re.search(r"\$ holdfast demo\n(.*?)```", readme, flags=re.S)
    if shown is None:
        return ["the README shows no demonstration"]
    found = {_key(line): line for line in log.splitlines() if line.startswith("•")}
    wrong = []
    for line in shown[1].splitlines():
        if line.startswith("•") and not _close(line, found.get(_key(line), "")):
            wrong.append(f"README: {line}\nfound:  {found.get(_key(line), 'no such line')}")
    return wrong


def _key(line: str) -> str:
    return line.split(":", maxsplit=1)[0].split(" ", 2)[1]


def _close(shown: str, found: str) -> bool:
    if shown.startswith("• Decision"):
        return bool(found)
    first, second = (
        [float(number.strip(",.").replace(",", "")) for number in _NUMBER.findall(text)] for text in (shown, found)
    )
    return len(first) == len(second) and all(
        abs(one - other) <= max(1.0, _TOLERANCE * one) for one, other in zip(first, second, strict=True)
    )


if __name__ == "__main__":
    faults = differing((ROOT / "README.md").read_text(encoding="utf-8"), Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("\n".join(faults) or "The README's figures are those of the demonstration.")
    sys.exit(bool(faults))
