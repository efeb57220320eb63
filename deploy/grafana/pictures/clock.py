"""Time as the pictures show it."""

from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Clock:
    """Turns Prometheus's time into that of the daemon: in the demo time runs faster from its start on."""

    origin: float = 0.0
    speed: float = 1.0

    def shown(self, moment):
        """The Unix time to show for a Unix time of Prometheus."""
        return self.origin + (moment - self.origin) * self.speed


def utc(moment, form):
    """A Unix time as a text."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime(form)
