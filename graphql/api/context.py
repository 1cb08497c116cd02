"""What a resolver knows of its request."""

from __future__ import annotations

from dataclasses import dataclass

import strawberry

from api.loaders import Loaders
from app.state import State
from domain.identity import Principal
from domain.provenance import Provenance


@dataclass(slots=True)
class Context:
    """One operation's context; `request_id` goes into every movement and log line."""

    state: State
    principal: Principal
    request_id: str
    _loaders: Loaders | None = None

    @property
    def loaders(self) -> Loaders:
        if self._loaders is None:
            self._loaders = Loaders(self.state, self.principal)
        return self._loaders

    def provenance(self, idempotency_key: str | None) -> Provenance:
        """A person's name is not unique and may be their own to choose: who they are is kept beside it."""
        principal = self.principal
        return Provenance(principal.name, principal.token_id or principal.id, self.request_id, idempotency_key)


Info = strawberry.Info[Context, None]
