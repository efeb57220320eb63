"""What the panels show of the answers: names, values, and how a value is written and coloured."""

import copy
import math
import re
from dataclasses import dataclass

import units
from theme import CLASSIC, TEXT, colour
from variables import fill_in


@dataclass
class Field:
    """A series, or the column of a table, with its configuration."""

    name: str
    config: dict
    values: list
    numeric: bool = True
    times: list = None
    index: int = 0

    @property
    def last(self):
        return self.values[-1]

    def colour(self):
        """The colour of the whole series."""
        mode = self.config["color"]
        if mode["mode"] == "fixed":
            return colour(mode["fixedColor"])
        if mode["mode"] == "palette-classic":
            return colour(CLASSIC[self.index % len(CLASSIC)])
        return self.shown(self.last, 0)[1]

    def shown(self, value, now):
        """The text and the colour of a value."""
        unit = self.config["unit"]
        text = tone = None
        for mapping in self.config.get("mappings", []):
            if mapping["type"] != "value":
                raise SystemExit(f"cannot map by {mapping['type']}")
            key = units.digits(value, None) if isinstance(value, float) else str(value)
            if found := mapping["options"].get(key):
                text, tone = found.get("text"), colour(found["color"]) if "color" in found else None
        amount = _number(value) if unit != "string" else math.nan
        if text is None:
            text = str(value) if math.isnan(amount) else units.written(unit, amount, self.config.get("decimals"), now)
        if tone is None:
            tone = TEXT if math.isnan(amount) else self._threshold(amount)
        return text, tone

    def _threshold(self, amount):
        if self.config["color"]["mode"] == "fixed":
            return colour(self.config["color"]["fixedColor"])
        steps = self.config["thresholds"]["steps"]
        reached = [step for step in steps if step["value"] is None or amount >= step["value"]]
        return colour(reached[-1]["color"])


def _number(value):
    # Grafana takes a text for a number where it looks like one, unless its unit is `string`.
    try:
        return float(value)
    except ValueError:
        return math.nan


def series_of(panel, data, variables):
    """The series of a panel, in the order of its targets."""
    fields = []
    for target in panel["targets"]:
        expression = fill_in(target["expr"], variables, data)
        for series in data.instant(expression) if target.get("instant") else data.range(expression):
            points = [(moment, value) for moment, value in series.points if not math.isnan(value)]
            if points:
                name = _named(target.get("legendFormat", ""), series.labels)
                times, values = [moment for moment, _ in points], [value for _, value in points]
                fields.append(Field(name, config_of(panel, name), values, times=times, index=len(fields)))
    return fields


def columns_of(panel, data, variables):
    """The columns of a table with one target, transformed and sorted."""
    (target,) = panel["targets"]
    found = data.instant(fill_in(target["expr"], variables, data))
    labels = sorted({label for series in found for label in series.labels})
    columns = {label: [series.labels.get(label, "") for series in found] for label in labels}
    columns["Value"] = [series.last for series in found]
    for transformation in panel.get("transformations", []):
        if transformation["id"] != "organize":
            raise SystemExit(f"cannot transform by {transformation['id']}")
        columns = _organized(columns, **transformation["options"])
    for order in reversed(panel["options"].get("sortBy", [])):
        by = columns.get(order["displayName"], [])
        rows = sorted(range(len(by)), key=lambda row: by[row], reverse=order["desc"])
        columns = {name: [values[row] for row in rows] for name, values in columns.items() if rows}
    return [Field(name, config_of(panel, name), values, numeric=isinstance(values[0], float))
            for name, values in columns.items() if values]


def _organized(columns, excludeByName, indexByName, renameByName):
    kept = [name for name in columns if not excludeByName.get(name)]
    kept.sort(key=lambda name: indexByName.get(name, math.inf))
    return {renameByName.get(name, name): columns[name] for name in kept}


def _named(form, labels):
    if form:
        return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), form)
    return "{" + ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items())) + "}"


def config_of(panel, name):
    """The configuration of a field: the defaults with the overrides for its name."""
    config = copy.deepcopy(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] != "byName":
            raise SystemExit(f"cannot match {override['matcher']['id']}")
        if override["matcher"]["options"] == name:
            for change in override["properties"]:
                inner = config
                *path, last = change["id"].split(".")
                for part in path:
                    inner = inner.setdefault(part, {})
                inner[last] = change["value"]
    return config
