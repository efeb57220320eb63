"""Horizontal bars, one for each series."""

import theme
from fields import series_of


def draw(svg, panel, place, data, clock, variables):
    fields = series_of(panel, data, variables)
    if not fields:
        return False
    now = clock.shown(data.end)
    most = max(field.last for field in fields) or 1
    step = place.height / len(fields)
    size = min(15, step * 0.5)
    names = max(theme.width(field.name, size) for field in fields)
    amounts = max(theme.width(field.shown(field.last, now)[0], size) for field in fields)
    left, room = place.x + names + 10, place.width - names - amounts - 24
    for row, field in enumerate(fields):
        text, tone = field.shown(field.last, now)
        y, height = place.y + row * step, step - 8
        baseline = y + height / 2 + size * 0.35
        filled = max(2, room * field.last / most)
        svg.text(place.x + names, baseline, field.name, size, text_anchor="end")
        svg.rect(left, y, room, height, theme.TRACK, rx=2)
        svg.rect(left, y, filled, height, tone, fill_opacity=0.35, rx=1)
        svg.rect(left + filled - 2, y, 2, height, tone)
        svg.text(left + room + 10, baseline, text, size, tone, font_weight=500)
    return True
