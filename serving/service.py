"""The desk as a BentoML service: typed and documented endpoints, answered by threads."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import bentoml
from _bentoml_sdk.io_models import IODescriptor  # type: ignore[import-untyped]
from pydantic import BaseModel, ValidationError, create_model
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from features.errors import InputError, StoreError
from features.home import home
from serving import answers, leash, opening, routing_answers, visit_answers, wire
from serving.desk import Desk, as_text
from serving.documentation import DocumentedService
from serving.refusal import refusal
from serving.rehearsal import Rehearsal, warm

THREADS = 8
TIMEOUT_SECONDS = 60
LARGEST_BODY = 16 * 2**20


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
            body = await request.body()
        except ClientDisconnect:
            # Nobody hears it; raised, it would be logged as a failure of ours each time.
            return Refused("expected a whole body, found that the caller was gone")
        if len(body) > LARGEST_BODY:
            return Refused(f"expected a body of at most {LARGEST_BODY:,} bytes, found {len(body):,}")
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            return Refused(refusal(cls, error))


def _taken(model: type[BaseModel]) -> type[BaseModel]:
    return create_model(model.__name__, __base__=(_Taken, model), __doc__=model.__doc__)


def _said(model: type[BaseModel]) -> type[BaseModel]:
    return create_model(model.__name__, __base__=(IODescriptor, model), __doc__=model.__doc__)


def _answered(method: Callable[[Any, Any], dict[str, Any]]) -> Callable[[Any, Any], Response]:
    """Send what a method returns as it is kept; an error that names its cause is told, not logged."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, /) -> Response:
        if isinstance(request, Refused):
            return _sent({"error": request.message}, 400)
        try:
            return _sent(method(self, request), 200)
        except InputError as error:
            return _sent({"error": str(error)}, 400)
        except StoreError as error:
            return _sent({"error": str(error)}, 503)

    return answer


def _sent(body: dict[str, Any], status: int) -> Response:
    return Response(as_text(body), status, media_type="application/json")


def _endpoint(route: str, request: type[BaseModel], answer: type[BaseModel]) -> Callable[..., Any]:
    def wrap(method: Callable[[Any, Any], dict[str, Any]]) -> Any:
        return bentoml.api(_answered(method), route=route, input_spec=_taken(request), output_spec=_said(answer))

    return wrap


@bentoml.service(
    name="holdfast",
    service_class=DocumentedService,
    threads=THREADS,
    traffic={"timeout": TIMEOUT_SECONDS},
    logging={"access": {"enabled": False}},
)
class HoldfastService:
    """Who is leaving, what they are worth, and what to offer next.

    Bad input is answered with status 400 and `{"error": "what was expected and what was found"}`, and changes
    nothing; a store that can't be written is answered with 503.
    """

    desk: Desk

    def __init__(self) -> None:
        leash.follow()
        bundle = Path(os.environ.get("HOLDFAST_BUNDLE", ""))
        self.desk = opening.open_desk(home(), bundle, os.environ.get("HOLDFAST_BUNDLE_VERSION", "unregistered"))
        warm(self.desk)

    @_endpoint("/v1/decisions", wire.DecisionRequest, answers.DecisionAnswer)
    def decisions(self, request: wire.DecisionRequest, /) -> dict[str, Any]:
        """Say what to offer a customer, and why; a new customer gets stated defaults."""
        return self.desk.decide(request.ask())

    @_endpoint("/v1/outcomes", wire.OutcomeRequest, answers.OutcomeAnswer)
    def outcomes(self, request: wire.OutcomeRequest, /) -> dict[str, Any]:
        """Write down what became of an offer; telling it twice changes nothing."""
        return self.desk.outcome(request.report())

    @_endpoint("/v1/interactions", wire.InteractionsRequest, answers.InteractionsAnswer)
    def interactions(self, request: wire.InteractionsRequest, /) -> dict[str, Any]:
        """Write down what happened, one event or a list; telling an event twice changes nothing."""
        return self.desk.interactions([one.happening() for one in request.root])

    @_endpoint("/v1/customers/lookup", wire.LookupRequest, answers.LookupAnswer)
    def lookup(self, request: wire.LookupRequest, /) -> dict[str, Any]:
        """Tell who is meant by an id or a reference such as a phone number."""
        return self.desk.lookup(request.customer)

    @_endpoint("/v1/route", routing_answers.RouteRequest, routing_answers.RouteAnswer)
    def route(self, request: routing_answers.RouteRequest, /) -> dict[str, Any]:
        """Say which queue a contact goes to and before whom, the same on every channel, with a bound on waiting."""
        return self.desk.route(request.arrival())

    @_endpoint("/v1/visits/prioritise", wire.VisitsRequest, visit_answers.VisitsAnswer)
    def prioritise(self, request: wire.VisitsRequest, /) -> dict[str, Any]:
        """Order service visits by safety, what was promised, and what waiting costs; plan them where asked to."""
        return self.desk.prioritise([one.visit() for one in request.visits], request.shift(), request.language)


HoldfastService.add_asgi_middleware(Rehearsal)  # type: ignore[attr-defined]
