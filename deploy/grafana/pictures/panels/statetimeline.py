"""States over time, one band for each series."""

import theme
from fields import series_of
from panels.axes import LEGEND_LINE, SIZE, legend, legend_lines, time_axis
from panels.place import Place

TIMES = 20


def draw(svg, panel, place, data, clock, variables):
    fields = series_of(panel, data, variables)
    if not fields:
        return False
    left = max(theme.width(field.name, SIZE) for field in fields) + 8
    plot = Place(place.x + left, place.y, place.width - left - 6, place.height - TIMES - LEGEND_LINE - 4)
    x = time_axis(svg, plot, data, clock)
    band = plot.height / len(fields)
    seen = {}
    for row, field in enumerate(fields):
        y, height = plot.y + row * band + band * 0.05, band * 0.9
        svg.text(plot.x - 8, y + height / 2 + 4, field.name, SIZE, theme.FAINT, text_anchor="end")
        for start, end, value in _merged(field, data):
            text, tone = field.shown(value, 0)
            seen[text] = tone
            wide = x(end) - x(start)
            svg.rect(x(start), y, wide, height, tone, fill_opacity=field.config["custom"]["fillOpacity"] / 100)
            if theme.width(text, SIZE) + 12 < wide:
                svg.text(x(start) + 6, y + height / 2 + 4, text, SIZE)
    lines = legend_lines(sorted(seen), place.width)[:1]
    legend(svg, place.x, place.bottom - LEGEND_LINE + 2, lines, [seen[text] for text in sorted(seen)])
    return True


def _merged(field, data):
    """Spans of one value. A value holds until the next."""
    spans = []
    for moment, value in zip(field.times, field.values):
        if spans and spans[-1][2] == value and spans[-1][1] == moment:
            spans[-1][1] = min(moment + data.step, data.end)
        else:
            spans.append([moment, min(moment + data.step, data.end), value])
    return spans
