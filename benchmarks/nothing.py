"""A BentoML service that imports LightGBM and does nothing: the least that a service of such models takes to start."""

from typing import Any

import bentoml
import lightgbm


@bentoml.service(name="holdfast", logging={"access": {"enabled": False}})
class NothingService:
    """Nothing, beside LightGBM."""

    def __init__(self) -> None:
        self.version = lightgbm.__version__

    @bentoml.api(route="/v1/nothing")  # type: ignore[untyped-decorator]
    def nothing(self, customer: str) -> dict[str, Any]:
        """Answer without looking at anything."""
        return {"customer": customer}
