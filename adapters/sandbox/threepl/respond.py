"""Answers: JSON, a refusal, and one that is cut off."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from adapters.sandbox.respond import JsonResponse


class Refused(Exception):
    """A call that is not done, as the partner answers it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers

    def render(self) -> Response:
        body = {"code": self.code, "message": self.message}
        return JsonResponse(body, self.status, None if self.headers is None else dict(self.headers))
