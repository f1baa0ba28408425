"""Log entries for outages: one when a dependency is lost and one when it is back, however many calls fail."""

import logging
import time


class Outage:
    """An outage of one dependency, as its caller observes it."""

    def __init__(self, logger: logging.Logger, dependency: str) -> None:
        self._logger = logger
        self._dependency = dependency
        self._failed = 0
        self._began_s = 0.0

    def failed(self, error: BaseException, calls: int = 1) -> None:
        """Counts failed calls. Logs the first failure of an outage, without a traceback."""
        if not self._failed:
            self._began_s = time.monotonic()
            self._logger.warning(
                "dependency lost", extra={"dependency": self._dependency, "cause": repr(error)}
            )
        self._failed += calls

    def ended(self) -> None:
        """If there was an outage, logs its end, its length and the number of failed calls."""
        if self._failed:
            lasted_s = round(time.monotonic() - self._began_s, 3)
            self._logger.warning(
                "dependency back",
                extra={"dependency": self._dependency, "failed": self._failed, "lasted_s": lasted_s},
            )
            self._failed = 0
