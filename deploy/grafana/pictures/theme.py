"""Grafana's light theme."""

CANVAS = "#f4f5f5"
PANEL = "#ffffff"
BORDER = "#dcdde0"
TEXT = "#24292e"
FAINT = "#5f6469"
GRID = "#e9eaeb"
LINK = "#1f62e0"
TRACK = "#f0f0f1"

# The first that a reader has; widths are reckoned for the widest of them.
FONTS = "Inter, Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

NAMED = {
    "super-light-red": "#FF7383", "light-red": "#F2495C", "red": "#E02F44",
    "semi-dark-red": "#C4162A", "dark-red": "#AD0317",
    "super-light-orange": "#FFB357", "light-orange": "#FF9830", "orange": "#FF780A", "semi-dark-orange": "#FA6400",
    "dark-orange": "#E55400",
    "super-light-yellow": "#FFEE52", "light-yellow": "#FADE2A", "yellow": "#F2CC0C", "semi-dark-yellow": "#E0B400",
    "dark-yellow": "#CC9D00",
    "super-light-green": "#96D98D", "light-green": "#73BF69", "green": "#56A64B", "semi-dark-green": "#37872D",
    "dark-green": "#19730E",
    "super-light-blue": "#8AB8FF", "light-blue": "#5794F2", "blue": "#3274D9", "semi-dark-blue": "#1F60C4",
    "dark-blue": "#1250B0",
    "super-light-purple": "#CA95E5", "light-purple": "#B877D9", "purple": "#A352CC", "semi-dark-purple": "#8F3BB8",
    "dark-purple": "#7C2EA3",
    "text": TEXT,
}

# Colours of series in their order, as in palette-classic.
CLASSIC = [
    "green", "yellow", "blue", "orange", "red", "purple",
    "dark-green", "dark-yellow", "dark-blue", "dark-orange", "dark-red", "dark-purple",
    "super-light-green", "super-light-yellow", "super-light-blue", "super-light-orange", "super-light-red",
    "super-light-purple",
]


def colour(name):
    """The colour of this name, or that is written out."""
    return name if name.startswith("#") else NAMED[name]


def width(text, size):
    """How wide a text is at most, in pixels: an estimate on the side of the widest font."""
    return size * sum(_of(character) for character in text)


def shortened(text, size, room):
    """The text, cut where there is no room for it."""
    if width(text, size) <= room:
        return text
    while text and width(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def _of(character):
    if character in "fijlrtI.,:;'|!()[]-/ ":
        return 0.39
    if character in "mwMW@%":
        return 0.97
    return 0.7 if character.isupper() else 0.63
