from pathlib import Path

from benchmarks.faults.documents import documents
from benchmarks.faults.questions import QUESTIONS
from benchmarks.faults.served import Running


def test_every_operation_answers_as_the_document_says(service: Running, tmp_path: Path) -> None:
    found = documents(service.url, tmp_path, 5, ("examples", "coverage", "fuzzing"))
    assert found.holds, found.note
    assert found.caused > 300


def test_the_faults_ask_for_every_field_that_the_document_names(service: Running) -> None:
    """A field that is added is sent nonsense, too."""
    import httpx

    document = httpx.get(f"{service.url}/docs.json", trust_env=False).json()
    schemas = document["components"]["schemas"]
    asked = {route for route in document["paths"] if route.startswith("/v1/")}
    assert asked == set(QUESTIONS)
    for route, question in QUESTIONS.items():
        schema = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"]
        told = schemas[schema["$ref"].rpartition("/")[2]]
        told = schemas["InteractionRequest"] if "properties" not in told else told
        assert set(question) == set(told["properties"]), route
    assert set(QUESTIONS["/v1/visits/prioritise"]["visits"][0]) == set(schemas["VisitRequest"]["properties"])
