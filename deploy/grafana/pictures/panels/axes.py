"""Axes and legends."""

import math

import theme
from clock import utc

SIZE = 11
LEGEND_LINE = 18
MINUTE, HOUR, DAY = 60, 3600, 86400
# Seconds from one time on an axis to the next.
STEPS = [
    1, 2, 5, 10, 15, 30,
    *(count * MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * HOUR for count in (1, 2, 3, 6, 12)),
    *(count * DAY for count in (1, 2, 5, 10, 15, 30, 60, 180, 365)),
]


def amounts(least, most, room, unit):
    """Round values between these two, for an axis of so many pixels."""
    base = 1024.0 ** math.floor(math.log(most, 1024)) if unit == "bytes" and most >= 1 else 1.0
    wanted = (most - least) / base / max(2, room // 34)
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= wanted * 0.999) * base
    first = math.ceil(least / step - 1e-9)
    return [index * step for index in range(first, math.floor(most / step + 1e-9) + 1)]


def time_axis(svg, place, data, clock):
    """Writes times below a place. Returns the function from times to positions."""
    start, end = clock.shown(data.start), clock.shown(data.end)

    def position(moment):
        return place.x + (clock.shown(moment) - start) / (end - start) * place.width

    def form(step):
        return "%m/%d" if step >= DAY else "%H:%M" if step >= MINUTE else "%H:%M:%S"

    def fits(step):
        return step / (end - start) * place.width >= theme.width(utc(start, form(step)), SIZE) + 16

    step = next(filter(fits, STEPS), STEPS[-1])
    # Days are counted from the first midnight, so that they do not jump where a month ends.
    origin = math.floor(start / DAY) * DAY if step >= DAY else 0
    moment = origin + math.ceil((start - origin) / step) * step
    while moment <= end:
        x = place.x + (moment - start) / (end - start) * place.width
        svg.line(x, place.y, x, place.bottom, theme.GRID)
        svg.text(x, place.bottom + 15, utc(moment, form(step)), SIZE, theme.FAINT, text_anchor="middle")
        moment += step
    return position


def legend_lines(names, room):
    """The names with their positions, in as many lines as they need."""
    lines, x = [[]], 0.0
    for index, name in enumerate(names):
        name = theme.shortened(name, SIZE, room - 20)
        taken = theme.width(name, SIZE) + 34
        if x and x + taken - 14 > room:
            lines.append([])
            x = 0.0
        lines[-1].append((index, x, name))
        x += taken
    return lines


def legend(svg, x, y, lines, colours):
    """Draws such lines from y downwards."""
    for row, line in enumerate(lines):
        middle = y + row * LEGEND_LINE + LEGEND_LINE / 2
        for index, offset, name in line:
            svg.rect(x + offset, middle - 2, 14, 4, colours[index], rx=2)
            svg.text(x + offset + 20, middle + 4, name, SIZE)
