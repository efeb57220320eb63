"""Values with Grafana's units, as Grafana writes them."""

import math

from clock import utc

SHORT = ["", " K", " Mil", " Bil", " Tri"]
COUNTS = ["", "K", "M", "B", "T"]
BINARY = [" B", " KiB", " MiB", " GiB", " TiB"]
TIMES = [(31536000, " years"), (604800, " weeks"), (86400, " days"), (3600, " hours"), (60, " mins"), (1, " s"),
         (1e-3, " ms"), (1e-6, " µs")]
RATES = {"reqps": " req/s", "cps": " c/s"}
MINUTE, HOUR, DAY = 60, 3600, 86400
# As moment.js rounds: up to so many seconds, so many seconds are one, one and many of them.
SPANS = [(45, 1, "a few seconds", "a few seconds"), (45 * MINUTE, MINUTE, "a minute", "{} minutes"),
         (22 * HOUR, HOUR, "an hour", "{} hours"), (26 * DAY, DAY, "a day", "{} days"),
         (320 * DAY, 30.4375 * DAY, "a month", "{} months"), (math.inf, 365.25 * DAY, "a year", "{} years")]


def written(unit, value, decimals, now):
    """A number with its unit."""
    if unit == "percentunit":
        return digits(value * 100, decimals) + "%"
    if unit == "s":
        scale, suffix = next((entry for entry in TIMES if abs(value) >= entry[0]), (1, " s"))
        return digits(value / scale, decimals) + suffix
    if unit == "dateTimeFromNow":
        return from_now(value / 1000 - now)
    if unit == "time:YYYY-MM-DD":
        return utc(value / 1000, "%Y-%m-%d")
    if unit == "bytes":
        return scaled(value, decimals, 1024, BINARY)
    if unit in RATES:
        return scaled(value, decimals, 1000, COUNTS) + RATES[unit]
    if unit == "short":
        return scaled(value, decimals, 1000, SHORT)
    raise SystemExit(f"cannot write the unit {unit}")


def scaled(value, decimals, base, suffixes):
    power = 0
    while abs(value) >= base and power + 1 < len(suffixes):
        value, power = value / base, power + 1
    return digits(value, decimals) + suffixes[power]


def digits(value, decimals):
    """A number with as many decimals as Grafana thinks fit, unless they are given."""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    text = f"{value:.{_fitting(value)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _fitting(value):
    if value == int(value):
        return 0
    decimals = 1 - math.floor(math.log10(abs(value)))
    if abs(value) / 10.0**-decimals > 2.25:
        decimals += 1
    return max(0, decimals)


def from_now(seconds):
    """A span of time before or after now, in words."""
    length = abs(seconds)
    _, one, single, many = next(span for span in SPANS if length < span[0])
    count = round(length / one)
    words = single if count <= 1 else many.format(count)
    return f"in {words}" if seconds > 0 else f"{words} ago"
