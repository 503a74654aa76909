"""How long a registry that is busy or away is waited for, as urllib3 counts retries."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from skerry.artifacts.busy import BUSY, pause_asked

if TYPE_CHECKING:
    from types import TracebackType

    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds in which a request is tried again.

    Attributes:
        busy: after answers that say: later. A pause that the registry asks for (Retry-After) is made; one
            that is longer than the whole patience is not, and the request fails at once.
        away: without an answer.
    """

    busy: float
    away: float

    def retry(self) -> Retry:
        """Return it as urllib3 takes it."""
        return _Patient(
            patience=self,
            total=None,
            status_forcelist=BUSY,
            allowed_methods=None,
            backoff_factor=FIRST_PAUSE_SECONDS,
            backoff_max=LONGEST_PAUSE_SECONDS,
            raise_on_status=False,
        )


class _Patient(Retry):
    """Tries again until a time is over, however often that is."""

    def __init__(self, *, patience: Patience, begun: float | None = None, **named: Any) -> None:
        super().__init__(**named)
        self._patience = patience
        self._begun = begun

    def new(self, **named: Any) -> Self:
        """Return a copy; urllib3 makes one for each try."""
        return super().new(patience=self._patience, begun=self._begun, **named)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Return what the next try is made with.

        Raises:
            MaxRetryError: The patience is at its end.
        """
        now = time.monotonic()
        begun = now if self._begun is None else self._begun
        allowed = self._patience.away if response is None else self._patience.busy
        asked = self.get_retry_after(response) if response is not None else None
        if now - begun >= allowed or (asked or 0.0) > allowed:
            reason = error or ResponseError("the registry is busy")
            raise MaxRetryError(_pool, url, reason) from error  # type: ignore[arg-type]
        what = f"answered {response.status}" if response is not None else f"{error}"
        logger.warning("%s %s: %s; it is tried again", method, url, what)
        following = super().increment(method, url, response, error, _pool, _stacktrace)
        # Not in this one, which is shared by all requests.
        following._begun = begun  # noqa: SLF001 - of the same class
        return following

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the pause that the registry asks for, in bounds."""
        return pause_asked(response.headers.get("Retry-After"), datetime.now(UTC))
