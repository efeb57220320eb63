"""Rows and columns."""

import theme
from fields import columns_of

LINE = 34
SIZE = 12.5
# A line for what does not fit, which Grafana would scroll to.
MORE = 16


def draw(svg, panel, place, data, clock, variables):
    columns = columns_of(panel, data, variables)
    if not columns:
        return False
    given = [field.config.get("custom", {}).get("width") for field in columns]
    shared = (place.width - sum(filter(None, given))) / max(1, given.count(None))
    count = len(columns[0].values)
    fitting = int((place.height - LINE) // LINE)
    if count > fitting:
        fitting = int((place.height - LINE - MORE) // LINE)
    left = place.x
    for field, column in zip(columns, (wide or shared for wide in given)):
        _cell(svg, left, place.y, column, field.name, field.numeric, theme.FAINT, font_weight=500)
        for row, value in enumerate(field.values[:fitting]):
            text, tone = field.shown(value, clock.shown(data.end))
            fill = theme.LINK if field.config.get("links") else theme.TEXT
            if field.config.get("custom", {}).get("cellOptions", {}).get("type") == "color-text":
                fill = tone
            _cell(svg, left, place.y + (row + 1) * LINE, column, text, field.numeric, fill)
        left += column
    for row in range(min(count, fitting) + 1):
        y = place.y + (row + 1) * LINE
        svg.line(place.x, y, place.right, y, theme.GRID)
    if count > fitting:
        svg.text(place.x + 6, place.bottom, f"{count - fitting} more", 11, theme.FAINT)
    return True


def _cell(svg, left, top, room, text, right_aligned, fill, **attributes):
    text = theme.shortened(text, SIZE, room - 12)
    x, anchor = (left + room - 6, "end") if right_aligned else (left + 6, "start")
    svg.text(x, top + LINE / 2 + 4.5, text, SIZE, fill, text_anchor=anchor, **attributes)
