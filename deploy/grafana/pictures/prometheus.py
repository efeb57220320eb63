"""Asks Prometheus."""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

# As many points as a panel of Grafana would ask for at these sizes.
MOST_POINTS = 250


@dataclass(frozen=True)
class Series:
    """Labels, and values with their Unix times."""

    labels: dict
    points: list

    @property
    def last(self):
        return self.points[-1][1]


class Prometheus:
    """A Prometheus and the time range that is looked at, in Unix seconds."""

    def __init__(self, url, start, end, scrape_interval):
        self.url = url
        self.end = end
        self.step = max(scrape_interval, math.ceil((end - start) / MOST_POINTS))
        # In whole steps, so that lines reach the end.
        self.start = end - (end - start) // self.step * self.step
        # Grafana's rule for $__rate_interval.
        self.rate_interval = max(self.step + scrape_interval, 4 * scrape_interval)

    def instant(self, expression):
        """The series at the end of the time range, in Prometheus's order."""
        results = self._ask("query", query=expression, time=self.end)
        return [Series(result["metric"], numbers([result["value"]])) for result in results]

    def range(self, expression):
        """The series over the time range, sorted by their labels."""
        results = self._ask("query_range", query=expression, start=self.start, end=self.end, step=self.step)
        found = [Series(result["metric"], numbers(result["values"])) for result in results]
        return sorted(found, key=lambda series: sorted(series.labels.items()))

    def _ask(self, what, **parameters):
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}", body, timeout=30) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{parameters['query']}: {error.read().decode()}") from error


def numbers(values):
    return [(moment, float(value)) for moment, value in values]
