"""Where a panel is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self):
        return self.x + self.width

    @property
    def bottom(self):
        return self.y + self.height

    @property
    def centre(self):
        return self.x + self.width / 2

    @property
    def middle(self):
        return self.y + self.height / 2
