"""Writes SVG."""

from xml.sax.saxutils import escape, quoteattr

from theme import FONTS, TEXT


class Svg:
    """Elements, one after the other."""

    def __init__(self):
        self.elements = []

    def add(self, name, **attributes):
        self.elements.append(f"<{name}{_written(attributes)}/>")

    def rect(self, x, y, width, height, fill, **attributes):
        self.add("rect", x=x, y=y, width=width, height=height, fill=fill, **attributes)

    def line(self, x1, y1, x2, y2, stroke):
        self.add("path", d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", stroke=stroke)

    def text(self, x, y, text, size=12, fill=TEXT, **attributes):
        written = _written({"x": x, "y": y, "font_size": size, "fill": fill, **attributes})
        self.elements.append(f"<text{written}>{escape(text)}</text>")

    def whole(self, width, height, title, metadata):
        """The document."""
        start = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
                 f'width="{number(width)}" height="{number(height)}" role="img" font-family={quoteattr(FONTS)}>')
        about = [f"<title>{escape(title)}</title>", f"<metadata>{escape(metadata)}</metadata>"]
        return "\n".join([start, *about, *self.elements, "</svg>", ""])


def number(value):
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _written(attributes):
    texts = {name.replace("_", "-"): number(value) if isinstance(value, (int, float)) else value
             for name, value in attributes.items()}
    return "".join(f" {name}={quoteattr(value)}" for name, value in texts.items())
