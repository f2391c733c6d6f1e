"""The service as BentoML builds it, behind the gate and with its own document."""

from typing import Any

from serving.documentation import DocumentedService
from serving.gate import Gate
from serving.keyring import Keyring


class GatedService(DocumentedService):
    """A service whose every request passes the gate first; its keys are its class's `ring`."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Build the application, with the gate outside of everything that BentoML puts around it."""
        application = super().to_asgi(is_main)
        ring: Keyring = self.inner.ring
        application.add_middleware(Gate, ring=ring)
        return application
