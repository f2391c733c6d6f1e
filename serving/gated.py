"""The service as BentoML builds it, counted, behind the gate, and with its own document."""

from typing import Any

from serving.documentation import DocumentedService
from serving.gate import Gate
from serving.health import Watch
from serving.keyring import Keyring
from serving.probes import Counted


class GatedService(DocumentedService):
    """A service whose every request is counted, and passes the gate; its class has the keys' `ring`, and a `watch`."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Build the application, with the gate outside of everything that BentoML puts around it."""
        application = super().to_asgi(is_main)
        ring: Keyring = self.inner.ring
        watch: Watch = self.inner.watch
        application.add_middleware(Gate, ring=ring)
        application.add_middleware(Counted, routes=[api.route for api in self.apis.values()], watch=watch)
        return application
