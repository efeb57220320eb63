#!/usr/bin/env python3
"""Draws the dashboards as pictures for the documentation, from the data of a real Prometheus and without a Grafana.

    python3 deploy/grafana/pictures/draw.py --demo target/debug/keysweep
    python3 deploy/grafana/pictures/draw.py --prometheus http://127.0.0.1:9090 --hours 24 --into . operations

Needs Python 3.10 or newer and nothing else; with --demo also Prometheus.
"""

import argparse
import time
from pathlib import Path

from clock import Clock
from dashboard import draw
from demo import A_SWEEP, DAYS_A_MINUTE, STARTING, STORY_ACCOUNT, running
from prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[3]
DASHBOARDS = ROOT / "deploy" / "grafana"
NAMES = ["organization", "operations", "account"]

# What stands below the pictures, so that nobody takes them for what they are not.
OF_A_DEMO = f"Drawn from the data of keysweep demo ({DAYS_A_MINUTE} days in a minute); no screenshot of Grafana."
OF_A_PROMETHEUS = "Drawn from the data of a Prometheus; no screenshot of Grafana."


def main():
    options = arguments()
    if options.demo:
        with running(options.demo, ROOT / "deploy" / "prometheus") as (url, clock):
            time.sleep(max(0, clock.origin + options.seconds - time.time()))
            end = int(time.time())
            data = Prometheus(url, start=int(clock.origin) + STARTING, end=end, scrape_interval=A_SWEEP)
            pictures(options, data, clock, {"account": STORY_ACCOUNT} | dict(options.set), OF_A_DEMO)
    else:
        end = int(time.time())
        start = end - int(options.hours * 3600)
        data = Prometheus(options.prometheus, start, end, scrape_interval=options.scrape_interval)
        pictures(options, data, Clock(), dict(options.set), OF_A_PROMETHEUS)


def arguments():
    parser = argparse.ArgumentParser(description="Draws the dashboards as SVG, without a Grafana.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--demo", metavar="PROGRAM", help="a keysweep: its demo runs, and a Prometheus that scrapes it")
    source.add_argument("--prometheus", metavar="URL", help="a Prometheus that runs")
    default = "[default: %(default)s]"
    parser.add_argument("--seconds", type=float, default=82, help=f"how long the demo runs {default}")
    parser.add_argument("--hours", type=float, default=24, help=f"time range of --prometheus {default}")
    parser.add_argument("--scrape-interval", type=int, default=30, metavar="SECONDS", help=f"of --prometheus {default}")
    parser.add_argument("--set", metavar="NAME=TEXT", type=lambda text: text.split("=", 1), action="append", default=[],
                        help="choose the value of a variable, such as account=orders-prod-00")
    parser.add_argument("--into", metavar="FOLDER", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which dashboards [default: {' '.join(NAMES)}]")
    return parser.parse_args()


def pictures(options, data, clock, chosen, note):
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.names or NAMES:
        path = options.into / f"{name}.svg"
        path.write_text(draw(DASHBOARDS / f"{name}.json", data, clock, chosen, note), encoding="utf-8")
        print(f"{path}: {path.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
