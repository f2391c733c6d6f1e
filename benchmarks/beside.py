"""The service with one endpoint more, which does nothing: what the framework alone costs, with all that ours has."""

from typing import Any

import bentoml

from features.deadline import Deadline
from serving import answers, roles, service, wire

NOTHING = "/v1/nothing"
# The gate lets in whom it lets in to decisions.
roles.ROUTES = {**roles.ROUTES, NOTHING: roles.ROUTES["/v1/decisions"]}


class _Beside(service.HoldfastService.inner):  # type: ignore[name-defined,misc]
    @service._endpoint(NOTHING, wire.DecisionRequest, answers.LookupAnswer)
    def nothing(self, request: wire.DecisionRequest, deadline: Deadline, _away: None) -> dict[str, Any]:
        """Answer without looking at anything."""
        return {}


_ours: Any = service.HoldfastService
BesideService: Any = bentoml.service(name=_ours.name, service_class=type(_ours), **_ours.config)(_Beside)
for _middleware, _options in _ours.middlewares:
    BesideService.add_asgi_middleware(_middleware, **_options)
