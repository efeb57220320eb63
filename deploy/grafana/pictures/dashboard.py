"""Lays a dashboard out as Grafana does."""

import json
import zlib

import theme
from clock import utc
from panels import bargauge, stat, statetimeline, table, timeseries
from panels.place import Place
from svg import Svg
from variables import resolve

WIDTH = 1040
MARGIN = 16
# Grafana's grid: 24 columns, and rows of 30 pixels with 8 between them.
COLUMNS, ROW, GAP = 24, 30, 8
HEADER = 84
FOOTER = 30
DRAWN = {
    "stat": stat.draw,
    "bargauge": bargauge.draw,
    "timeseries": timeseries.draw,
    "state-timeline": statetimeline.draw,
    "table": table.draw,
}


def draw(path, data, clock, chosen, note):
    """The picture of a dashboard."""
    source = path.read_bytes()
    dashboard = json.loads(source)
    variables = resolve(dashboard, data, chosen)
    height = HEADER + FOOTER + max(_below(panel["gridPos"]) for panel in dashboard["panels"])
    svg = Svg()
    svg.rect(0, 0, WIDTH, height, theme.CANVAS)
    _header(svg, dashboard, variables, data, clock)
    for panel in dashboard["panels"]:
        place = _place(panel["gridPos"])
        if panel["type"] == "row":
            _row(svg, panel["title"], place)
        else:
            _panel(svg, panel, place, data, clock, variables)
    svg.text(MARGIN, height - 12, note, 11, theme.FAINT)
    # By it a test sees that a dashboard was changed since.
    return svg.whole(WIDTH, height, dashboard["title"], f"dashboard crc32 {zlib.crc32(source):08x}")


def _header(svg, dashboard, variables, data, clock):
    svg.text(MARGIN, 33, dashboard["title"], 19, font_weight=500)
    span = " to ".join(utc(clock.shown(moment), "%Y-%m-%d %H:%M") for moment in (data.start, data.end)) + " UTC"
    box = theme.width(span, 12) + 20
    svg.rect(WIDTH - MARGIN - box, 14, box, 28, theme.PANEL, stroke=theme.BORDER, rx=2)
    svg.text(WIDTH - MARGIN - box / 2, 32, span, 12, text_anchor="middle")
    x = MARGIN
    for variable in dashboard["templating"]["list"]:
        for text, fill in [(variable["label"], theme.LINK), (variables[variable["name"]][0], theme.TEXT)]:
            box = theme.width(text, 12) + 18
            svg.rect(x, 50, box, 26, theme.PANEL, stroke=theme.BORDER, rx=2)
            svg.text(x + box / 2, 67, text, 12, fill, text_anchor="middle")
            x += box
        x += GAP


def _row(svg, title, place):
    svg.add("path", d=f"M{place.x + 3:.1f} {place.y + 13:.1f}l4 4l4 -4", fill="none", stroke=theme.TEXT)
    svg.text(place.x + 18, place.y + 20, title, 15, font_weight=500)


def _panel(svg, panel, place, data, clock, variables):
    svg.rect(place.x, place.y, place.width, place.height, theme.PANEL, stroke=theme.BORDER, rx=2)
    title, room = panel["title"], place.width - 16
    size = max(10.5, min(13, room / theme.width(title, 1)))
    svg.text(place.x + 10, place.y + 21, theme.shortened(title, size, room), size, font_weight=500)
    body = Place(place.x + 10, place.y + 32, place.width - 20, place.height - 40)
    if not DRAWN[panel["type"]](svg, panel, body, data, clock, variables):
        svg.text(body.centre, body.middle, "No data", 14, theme.FAINT, text_anchor="middle")


def _place(grid):
    column = (WIDTH - 2 * MARGIN + GAP) / COLUMNS
    x, y = MARGIN + grid["x"] * column, HEADER + grid["y"] * (ROW + GAP)
    return Place(x, y, grid["w"] * column - GAP, grid["h"] * (ROW + GAP) - GAP)


def _below(grid):
    return (grid["y"] + grid["h"]) * (ROW + GAP)
