"""A made business whose files tell margins, what contacts cost, and bills given up; nobody's real customers.

Who calls much brings as much as the others and costs more than it brings; who pays late is given up on at times.
"""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from features.home import ROOT
from tests.ingesting import written

CUSTOMERS, DAYS, START = 400, 220, date(2023, 1, 1)
SOURCE = """
name = "made"
reference = "customer"

[[table]]
name = "sales"
files = ["sales.csv"]
key = ["line"]
constants = { kind = "purchase", channel = "web" }
columns = { reference = "who", occurred_at = "at", product = "sku", amount = "paid", cost = "cost" }

[[table]]
name = "talks"
files = ["talks.csv"]
key = ["talk"]
kinds = { call = "contact", engineer = "visit" }
constants = { channel = "phone" }
columns = { reference = "who", occurred_at = "at", kind = "what", cost = "cost" }

[[table]]
name = "bills"
files = ["bills.csv"]
key = ["bill"]
kinds = { late = "late_payment", lost = "write_off" }
columns = { reference = "who", occurred_at = "at", kind = "what", cost = "lost" }
"""


def calls_much(customer: int) -> bool:
    return customer % 5 == 0


def pays_late(customer: int) -> bool:
    return customer % 7 == 1


def business(folder: Path, costs: bool = True) -> Path:
    """Write the files of three hundred days into a folder; without `costs`, talks tell none and no bill is lost."""
    rng = np.random.default_rng(5)
    sales, talks, bills = ["line,who,at,sku,paid,cost"], ["talk,who,at,what,cost"], ["bill,who,at,what,lost"]
    for customer in range(CUSTOMERS):
        size = rng.gamma(4.0, 10.0)
        leaves = int(rng.integers(60, 2 * DAYS))
        for day in range(min(DAYS, leaves)):
            at = START + timedelta(days=day)
            if rng.random() < 0.07:
                paid = size * rng.uniform(0.5, 1.5)
                sku = f"sku{rng.integers(12)}"
                sales.append(f"{len(sales)},{customer},{at},{sku},{paid:.2f},{0.6 * paid:.2f}")
            if rng.random() < (0.06 if calls_much(customer) else 0.004):
                visit = rng.random() < 0.3
                price = rng.uniform(20, 40) if visit else rng.uniform(3, 7)
                told = f"{price:.2f}" if costs else ""
                talks.append(f"{len(talks)},{customer},{at},{'engineer' if visit else 'call'},{told}")
            if pays_late(customer) and rng.random() < 0.02:
                lost = costs and rng.random() < 0.4
                price = f"{size:.2f}" if lost else ""
                bills.append(f"{len(bills)},{customer},{at},{'lost' if lost else 'late'},{price}")
    for name, lines in (("sales", sales), ("talks", talks), ("bills", bills)):
        written(folder / f"{name}.csv", *lines)
    return folder


def without_amounts(source: str) -> str:
    """Leave out of a source what a sale brought and cost."""
    return source.replace(', amount = "paid", cost = "cost" }', " }", 1)


def playbook(folder: Path, assumed: str = "", source: str = SOURCE) -> Path:
    """Copy the shipped playbook with the business's source, and perhaps with standard costs."""
    shutil.copytree(ROOT / "playbook", folder)
    (folder / "sources" / "made.toml").write_text(source, encoding="utf-8")
    glossary = folder / "glossary.toml"
    glossary.write_text(glossary.read_text(encoding="utf-8") + assumed, encoding="utf-8")
    return folder
