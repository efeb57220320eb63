"""Renders a Helm chart with Helm's own library, and has every object judged by the schemas of Kubernetes.

Reads one JSON object from stdin: `chart` (its folder), `source` (the folder before it was packaged), `release`,
`namespace`, `values` (texts of values files by name) and `versions` (of Kubernetes). Prints one: `metadata` (of the
chart), `defaults` (its values), `charts` (for each name either `error`, or the values that were `given`, `notes`,
`objects` and what `lint` says), `source` (the same for the source with its defaults), `wrong` (what the schemas of
Kubernetes say against objects), and `unknown` (the kinds that these do not have).
"""

import functools
import json
import sys

import helm_python
import kubernetes_validate
import yaml
from kubernetes_validate import utils

# Every object would read the definitions of all kinds anew.
utils.schema_contents = functools.lru_cache(utils.schema_contents)


def rendered(chart, asked, text):
    values = helm_python.values_from_yaml(text)
    try:
        files = chart.render(values, name=asked["release"], namespace=asked["namespace"], is_install=True)
    except helm_python.HelmError as error:
        return {"error": str(error)}
    objects, notes = [], ""
    for path, text in sorted(files.items()):
        if path.endswith("NOTES.txt"):
            notes = text
        elif path.endswith(".yaml"):
            objects += [found for found in yaml.safe_load_all(text) if found]
    lint = helm_python.lint(asked["chart"], values, namespace=asked["namespace"])["messages"]
    return {"given": values, "notes": notes, "objects": objects, "lint": lint}


def judged(objects, versions):
    seen, unknown, wrong = set(), set(), []
    for thing in objects:
        text = json.dumps(thing, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        name = f"{thing['kind']}/{thing['metadata']['name']}"
        for version in versions:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.SchemaNotFoundError:
                unknown.add(thing["kind"])
            except kubernetes_validate.ValidationError as error:
                path = "/".join(str(step) for step in error.path)
                wrong.append(f"{name} ({version}): {path}: {error.message}")
    return {"unknown": sorted(unknown), "wrong": wrong}


def main():
    asked = json.load(sys.stdin)
    with helm_python.Chart.load(asked["chart"]) as chart:
        charts = {name: rendered(chart, asked, text) for name, text in asked["values"].items()}
        about = {"metadata": chart.metadata, "defaults": chart.values}
    with helm_python.Chart.load(asked["source"]) as source:
        about["source"] = rendered(source, asked, "{}")
    objects = [thing for chart in charts.values() for thing in chart.get("objects", [])]
    json.dump({**about, "charts": charts, **judged(objects, asked["versions"])}, sys.stdout)


if __name__ == "__main__":
    main()
