"""Lines and areas over time."""

import theme
from fields import series_of
from panels.axes import LEGEND_LINE, SIZE, amounts, legend, legend_lines, time_axis
from panels.place import Place
from svg import number

# Pixels above the plot, for half the height of the uppermost number, and below it, for times.
ABOVE, TIMES = 6, 20


def draw(svg, panel, place, data, clock, variables):
    fields = series_of(panel, data, variables)
    if not fields:
        return False
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    layers = _stacked(fields) if stacked else [_from_zero(field) for field in fields]
    top = max(high for layer in layers for _, _, high in layer)
    least = defaults.get("min", min(low for layer in layers for _, low, _ in layer))
    most = defaults.get("max", top + (top - least) * 0.05)
    if most <= least:
        most = least + 1

    lines = legend_lines([field.name for field in fields], place.width)
    height = place.height - ABOVE - TIMES - len(lines) * LEGEND_LINE - 4
    ticks = amounts(least, most, height, defaults["unit"])
    texts = [fields[0].shown(tick, 0)[0] for tick in ticks]
    left = max(theme.width(text, SIZE) for text in texts) + 6
    plot = Place(place.x + left, place.y + ABOVE, place.width - left - 6, height)

    def level(amount):
        return plot.bottom - (amount - least) / (most - least) * plot.height

    x = time_axis(svg, plot, data, clock)
    for tick, text in zip(ticks, texts):
        svg.line(plot.x, level(tick), plot.right, level(tick), theme.GRID)
        svg.text(plot.x - 6, level(tick) + 4, text, SIZE, theme.FAINT, text_anchor="end")
    for field, layer in zip(fields, layers):
        for part in _whole(layer, data.step):
            _area(svg, field, [(x(t), level(low), level(high)) for t, low, high in part])
    legend(svg, place.x, place.bottom - len(lines) * LEGEND_LINE + 2, lines, [field.colour() for field in fields])
    return True


def _from_zero(field):
    """Times with lower and upper edges."""
    return [(moment, 0, value) for moment, value in zip(field.times, field.values)]


def _stacked(fields):
    """Times with lower and upper edges, each on what the series before it left."""
    heights, layers = {}, []
    for field in fields:
        layer = []
        for moment, value in zip(field.times, field.values):
            low = heights.get(moment, 0)
            heights[moment] = low + value
            layer.append((moment, low, low + value))
        layers.append(layer)
    return layers


def _whole(layer, step):
    """The parts between gaps."""
    part = []
    for point in layer:
        if part and point[0] - part[-1][0] > step * 1.5:
            yield part
            part = []
        part.append(point)
    yield part


def _area(svg, field, points):
    custom, tone = field.config["custom"], field.colour()
    if custom.get("lineInterpolation") == "stepAfter":
        points = _as_steps(points)
    upper = _path([(x, high) for x, _, high in points])
    lower = _path([(x, low) for x, low, _ in reversed(points)])
    if custom.get("fillOpacity"):
        svg.add("path", d=f"M{upper}L{lower}Z", fill=tone, fill_opacity=f"{custom['fillOpacity'] / 100:g}")
    width = custom["lineWidth"] * 1.3
    svg.add("path", d=f"M{upper}", fill="none", stroke=tone, stroke_width=width, stroke_linejoin="round")


def _as_steps(points):
    """Each value holds until the next."""
    after = [(following[0], *point[1:]) for point, following in zip(points, points[1:])]
    return [point for pair in zip(points, after) for point in pair] + points[-1:]


def _path(points):
    """Points without those that lie within a level line."""
    kept = [point for index, point in enumerate(points)
            if index in (0, len(points) - 1) or not points[index - 1][1] == point[1] == points[index + 1][1]]
    return "L".join(f"{number(x)} {number(y)}" for x, y in kept)
