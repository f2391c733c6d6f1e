"""The service's OpenAPI document, corrected: BentoML drops which fields may be null and doesn't know our errors."""

from typing import Any

from _bentoml_sdk.service import Service  # type: ignore[import-untyped]

_SCHEMAS = "#/components/schemas/"
_ERROR = {
    "title": "Refusal",
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What was expected, what was found, what to do."}},
}
_REFUSALS = {
    "400": "The request doesn't fit; nothing was changed.",
    "401": "No key came, or one that nobody has any more.",
    "403": "The key's role may not call this.",
    "408": "The body didn't arrive in time.",
    "413": "The body is larger than is taken.",
    "429": "More requests came of one key than are answered; `Retry-After` says when to ask again.",
    "503": "The store, or time, is lacking; ask again after the seconds that the header Retry-After says.",
}
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key as `holdfast keys make` prints it. None is needed while none was made, from the machine"
        " of a service that listens on loopback alone.",
    }
}


class Document(dict[str, Any]):
    """An OpenAPI document as BentoML asks for it."""

    def asdict(self) -> dict[str, Any]:
        """Return the document as plain values."""
        return dict(self)


class DocumentedService(Service[Any]):  # type: ignore[misc]
    """A BentoML service with a corrected OpenAPI document."""

    @property
    def openapi_spec(self) -> Document:
        """The document, in OpenAPI 3.0."""
        document = super().openapi_spec.asdict()
        for api in self.apis.values():
            _correct(document["paths"][api.route]["post"], api.input_spec.__name__, api.output_spec.__name__)
        schemas = document["components"]["schemas"]
        for unused in ("InvalidArgument", "NotFound", "InternalServerError", "TaskStatusResponse"):
            schemas.pop(unused, None)
        document["components"]["schemas"] = {"Refusal": _ERROR, **_nullable(schemas)}
        document["components"]["securitySchemes"] = _SCHEMES
        document["info"] = {"title": "Holdfast", "version": "1", "description": str(self.inner.__doc__)}
        return Document(document)


def _correct(operation: dict[str, Any], request: str, answer: str) -> None:
    operation["security"] = [{"key": []}, {}]
    operation["requestBody"] = {"required": True, "content": _json(request)}
    refused: dict[str, Any] = {
        status: {"description": said, "content": _json("Refusal")} for status, said in _REFUSALS.items()
    }
    refused["503"]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    operation["responses"] = {"200": {"description": "The answer.", "content": _json(answer)}, **refused}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMAS + schema}}}


def _nullable(schema: Any) -> Any:
    """Say as OpenAPI 3.0 does what JSON Schema has other words for: null as a type, and bounds."""
    if isinstance(schema, list):
        return [_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: _nullable(part) for name, part in schema.items() if name not in ("anyOf", "root_input")}
    kinds = [_nullable(part) for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if "exclusiveMinimum" in rest:
        rest |= {"minimum": rest["exclusiveMinimum"], "exclusiveMinimum": True}
    if len(kinds) < len(schema.get("anyOf", ())):
        rest["nullable"] = True
    if len(kinds) == 1:
        return rest | ({"allOf": kinds} if "$ref" in kinds[0] else kinds[0])
    return rest | ({"anyOf": kinds} if kinds else {})
