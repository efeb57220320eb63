"""Values for the variables of a dashboard."""

import re


def resolve(dashboard, data, chosen):
    """Text and value of each variable: what was chosen, else All, else the first that Grafana would offer."""
    found = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "datasource":
            found[name] = ("Prometheus", "prometheus")
        elif name not in chosen and variable.get("current", {}).get("value") == ["$__all"]:
            found[name] = ("All", variable["allValue"])
        else:
            offered = sorted(options(variable, fill_in(variable["query"]["query"], found, data), data))
            wanted = [option for option in offered if option[0] == chosen.get(name, option[0])]
            if not wanted:
                known = ", ".join(text for text, _ in offered) or "none"
                raise SystemExit(f"{name}: there is no {chosen.get(name, 'value')}; known are: {known}")
            found[name] = wanted[0]
    return found


def fill_in(expression, variables, data):
    """An expression as Grafana would send it."""
    values = {name: value for name, (_, value) in variables.items()}
    values["__rate_interval"] = f"{data.rate_interval}s"
    values["__range"] = f"{data.end - data.start}s"
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def options(variable, query, data):
    """Texts and values of a variable that takes them out of series by a regular expression."""
    inside = re.fullmatch(r"query_result\((.*)\)", query)
    if not inside:
        raise SystemExit(f"cannot tell the values of {query}")
    pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
    for series in data.instant(inside[1]):
        labels = ",".join(f'{label}="{value}"' for label, value in sorted(series.labels.items()))
        if found := pattern.search(f"{{{labels}}}"):
            yield found["text"], found["value"]
