"""The desk as a BentoML service: typed and documented endpoints, answered by threads within a budget of time."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import bentoml
from _bentoml_sdk.io_models import IODescriptor  # type: ignore[import-untyped]
from _bentoml_sdk.method import APIMethod  # type: ignore[import-untyped]
from pydantic import BaseModel, ValidationError, create_model
from starlette.requests import Request
from starlette.responses import Response

from features.clock import unasked
from features.deadline import Deadline
from features.home import home
from features.ids import ordered_id
from serving import (
    answers,
    checkpoints,
    cores,
    degraded,
    deployment,
    following,
    heap,
    lean,
    leash,
    routing_answers,
    visit_answers,
    wire,
)
from serving.answering import Answer, Answering, Body, budget_seconds
from serving.body import as_text
from serving.degradation import Degraded
from serving.desk import Desk
from serving.gated import GatedService
from serving.health import Watch
from serving.keyring import Keyring
from serving.probes import Probes
from serving.refusal import refusal
from serving.rehearsal import Rehearsal, warm

TIMEOUT_SECONDS = 60
WATCH = Watch()


class Refused:
    """A request that didn't fit, with the sentence that says why."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Taken(IODescriptor):  # type: ignore[misc]
    """A request body taken as a whole; what doesn't fit is handed on as `Refused`, since it is no failure of ours."""

    __root_input__: ClassVar[bool] = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Any:
        media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media != "application/json":
            return Refused(f"expected a body of content type application/json, found {media}")
        try:
            return cls.model_validate_json(await request.body())
        except ValidationError as error:
            return Refused(refusal(cls, error))


def _taken(model: type[BaseModel]) -> type[BaseModel]:
    return create_model(model.__name__, __base__=(_Taken, model), __doc__=model.__doc__)


def _said(model: type[BaseModel]) -> type[BaseModel]:
    return create_model(model.__name__, __base__=(IODescriptor, model), __doc__=model.__doc__)


def _answered(
    method: Callable[..., Body], safe: Callable[..., Body] | None, least_seconds: float
) -> Callable[..., Any]:
    """Send what a method returns as it is kept; an error that names its cause is told, not logged."""

    async def answer(self: Any, request: Any, /) -> Response:
        if isinstance(request, Refused):
            return _sent(Answer({"error": request.message}, 400))
        default = partial(safe, self.desk, request) if safe else None
        work = partial(method, self, request)
        return _sent(await self.answering.answer(work, default, least_seconds))

    answer.__name__, answer.__doc__ = method.__name__, method.__doc__
    return answer


def _sent(answer: Answer) -> Response:
    return Response(as_text(answer.body), answer.status, answer.headers, media_type="application/json")


def _endpoint(
    route: str, request: type[BaseModel], answer: type[BaseModel], safe: Callable[..., Body] | None = None,
    least_seconds: float = 0.0,
) -> Callable[..., Any]:  # fmt: skip
    """Enter an endpoint: what is `safe` to answer without store and models, and the time that it has at least."""

    def wrap(method: Callable[..., Body]) -> Any:
        answered = _answered(method, safe, least_seconds)
        return bentoml.api(answered, route=route, input_spec=_taken(request), output_spec=_said(answer))

    return wrap


def _decision(desk: Desk, request: wire.DecisionRequest, why: Degraded) -> Body:
    return degraded.decision(desk, request.ask(), unasked(desk.clock), why, ordered_id())


def _route(desk: Desk, request: routing_answers.RouteRequest, why: Degraded) -> Body:
    return degraded.route(desk, request.arrival(), unasked(desk.clock), why)


def _visits(desk: Desk, request: wire.VisitsRequest, why: Degraded) -> Body:
    asked = [one.visit() for one in request.visits]
    return degraded.visits(desk, asked, request.shift(), request.language, unasked(desk.clock), why)


@bentoml.service(
    name="holdfast",
    service_class=GatedService,
    traffic={"timeout": TIMEOUT_SECONDS},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class HoldfastService:
    """Who is leaving, what they are worth, and what to offer next.

    Bad input is answered with status 400 and `{"error": "what was expected and what was found"}`, and changes nothing.
    Where the store, a model or time is lacking, decisions, routes and visits are answered with what is safe without
    it, and say so under `degraded`; everything else with 503, and how many seconds later to ask again.
    """

    ring: ClassVar[Keyring] = Keyring()
    watch: ClassVar[Watch] = WATCH
    answering: Answering

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def prepare() -> None:
        """Say once what all workers need."""
        deployment.prepare()

    def __init__(self) -> None:
        leash.follow()
        cores.keep_to_one(bentoml.server_context.worker_index or 1)
        lean.import_lightgbm()
        self.following = following.begin(home())
        checkpoints.keep(self.desk.history)
        heap.keep_small()
        self.ring.follow(self.desk.history.keys)
        self.answering = Answering(budget_seconds())
        self._bind_endpoints()
        warm(self.desk)
        WATCH.begin(self.following, home().data)

    def _bind_endpoints(self) -> None:
        """Bind each endpoint to this worker once: BentoML does it anew for every request, and reads its signature."""
        for name in dir(type(self)):
            if isinstance(getattr(type(self), name), APIMethod):
                setattr(self, name, getattr(self, name))

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Let go of the store, once all that was begun is answered; a worker that leaves waits for no stuck thread."""
        WATCH.end()
        self.desk.history.close()
        if WATCH.leaving and self.answering.threads.stuck:
            os._exit(0)

    @property
    def desk(self) -> Desk:
        """The desk that answers now; a request takes it once, since another bundle may be taken up meanwhile."""
        return self.following.desk

    @_endpoint("/v1/decisions", wire.DecisionRequest, answers.DecisionAnswer, _decision)
    def decisions(self, request: wire.DecisionRequest, deadline: Deadline, away: Degraded | None) -> Body:
        """Say what to offer a customer, and why; a new customer gets stated defaults."""
        return self.desk.decide(request.ask(), deadline, away)

    @_endpoint("/v1/outcomes", wire.OutcomeRequest, answers.OutcomeAnswer, least_seconds=5.0)
    def outcomes(self, request: wire.OutcomeRequest, deadline: Deadline, _away: None) -> Body:
        """Write down what became of an offer; telling it twice changes nothing."""
        return self.desk.outcome(request.report(), deadline)

    @_endpoint("/v1/interactions", wire.InteractionsRequest, answers.InteractionsAnswer, least_seconds=15.0)
    def interactions(self, request: wire.InteractionsRequest, deadline: Deadline, _away: None) -> Body:
        """Write down what happened, one event or a list; telling an event twice changes nothing."""
        return self.desk.interactions([one.happening() for one in request.root], deadline)

    @_endpoint("/v1/customers/lookup", wire.LookupRequest, answers.LookupAnswer, least_seconds=2.0)
    def lookup(self, request: wire.LookupRequest, deadline: Deadline, _away: None) -> Body:
        """Tell who is meant by an id or a reference such as a phone number."""
        return self.desk.lookup(request.customer, deadline)

    @_endpoint("/v1/route", routing_answers.RouteRequest, routing_answers.RouteAnswer, _route)
    def route(self, request: routing_answers.RouteRequest, deadline: Deadline, away: Degraded | None) -> Body:
        """Say which queue a contact goes to and before whom, the same on every channel, with a bound on waiting."""
        return self.desk.route(request.arrival(), deadline, away)

    @_endpoint("/v1/visits/prioritise", wire.VisitsRequest, visit_answers.VisitsAnswer, _visits, least_seconds=10.0)
    def prioritise(self, request: wire.VisitsRequest, deadline: Deadline, away: Degraded | None) -> Body:
        """Order service visits by safety, what was promised, and what waiting costs; plan them where asked to."""
        visits = [one.visit() for one in request.visits]
        return self.desk.prioritise(visits, request.shift(), request.language, deadline, away)


HoldfastService.add_asgi_middleware(Probes, watch=WATCH, beside=lambda: home().health_metrics)  # type: ignore[attr-defined]
HoldfastService.add_asgi_middleware(Rehearsal)  # type: ignore[attr-defined]
