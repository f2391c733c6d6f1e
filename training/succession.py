"""Which version served after which: a tag of the registered model, since MLflow forgets where an alias was before."""

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

TAG = "champions"
# As a tag of MLflow holds no more than 5,000 letters.
_MOST = 200


def succession(client: MlflowClient, model: str, now: str | None) -> list[str]:
    """List the champions in their order, the one that serves now last, whoever put it in charge."""
    told = client.get_registered_model(model).tags.get(TAG, "").split()
    # Whoever moved the alias in MLflow itself didn't write it down.
    return told if now is None or told[-1:] == [now] else [*told, now]


def keep(client: MlflowClient, model: str, champions: list[str]) -> None:
    """Write the champions down."""
    client.set_registered_model_tag(model, TAG, " ".join(champions[-_MOST:]))


def before(client: MlflowClient, model: str, champions: list[str]) -> list[str]:
    """Go back to the last champion before the newest that is still registered; nothing where there is none."""
    earlier = champions[:-1]
    while earlier and not _registered(client, model, earlier[-1]):
        earlier = earlier[:-1]
    return earlier


def _registered(client: MlflowClient, model: str, version: str) -> bool:
    try:
        client.get_model_version(model, version)
    except MlflowException:
        return False
    return True
