"""One value, large."""

from fields import series_of
from theme import width

LARGEST = 44


def draw(svg, panel, place, data, clock, variables):
    fields = series_of(panel, data, variables)
    if not fields:
        return False
    if len(fields) > 1:
        raise SystemExit(f"{panel['title']}: cannot draw several values")
    text, tone = fields[0].shown(fields[0].last, clock.shown(data.end))
    size = min(LARGEST, place.width / width(text, 1), place.height)
    svg.text(place.centre, place.middle + size * 0.3, text, size, tone, font_weight=500, text_anchor="middle")
    return True
