"""A real randomised trial of causaldata as columns: `python -I uplift_trials.py NAME TRIAL`, an .npz.

It runs under the peers' Python, with `pip install causaldata`. thornton_hiv: whether any money was offered for coming
for one's HIV result, and whether one came (Thornton 2008, "The demand for, and impact of, learning HIV status").
black_politicians: whether a letter to a legislator came from outside the district, and whether it was answered
(Broockman 2013, "Black politicians are more intrinsically motivated to advance blacks' interests").
"""

import importlib
import sys

import numpy as np

_TOLD = {"thornton_hiv": ("any", "got", ("tinc", "villnum")), "black_politicians": ("treat_out", "responded", ())}


def main() -> None:
    """Write the trial's columns."""
    treatment, outcome, apart = _TOLD[sys.argv[1]]
    frame = importlib.import_module(f"causaldata.{sys.argv[1]}").load_pandas().data
    known = frame.dropna(subset=[treatment, outcome])
    rows = known.drop(columns=[treatment, outcome, *apart]).to_numpy(dtype=np.float64)
    treated = known[treatment].to_numpy() == 1
    # Some peers take no unknowns.
    rows = np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows)
    np.savez(sys.argv[2], rows=rows, treated=treated, outcome=known[outcome].to_numpy(dtype=np.float64))


if __name__ == "__main__":
    main()
