"""What the service has counted while a block ran."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY


@contextmanager
def counted(metric: str) -> Iterator[dict[tuple[str, ...], float]]:
    """Fill in, when the block ends, by how much each sample of a counter grew, by its labels' values in their order."""
    before, grown = _samples(metric), dict[tuple[str, ...], float]()
    yield grown
    grown.update({key: more for key, value in _samples(metric).items() if (more := value - before.get(key, 0.0))})


def _samples(metric: str) -> dict[tuple[str, ...], float]:
    found = [sample for family in REGISTRY.collect() for sample in family.samples if sample.name == f"{metric}_total"]
    return {tuple(sample.labels.values()): sample.value for sample in found}
