"""Runs the demo of keysweep and a Prometheus that scrapes it."""

import os
import re
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from clock import Clock

# Where most stories of the demo play.
STORY_ACCOUNT = "partners-prod-02"
# How many times as fast as ours the demo's time runs.
DAYS_A_MINUTE = 30
SPEED = DAYS_A_MINUTE * 24 * 60
# The demo sweeps every so many seconds. Prometheus scrapes more often, but lines from sweep to sweep are calmer.
A_SWEEP = 2
# Seconds until demo and Prometheus have started and the first sweep was scraped.
STARTING = 5
# Where the daemon listens in the configuration for Prometheus, and what the pictures show as its instance.
USUAL = "127.0.0.1:9853"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@contextmanager
def running(program, rules):
    """Yields the address of the Prometheus and the demo's clock, and ends both afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(time.time(), SPEED)
        environment = os.environ | {"TMPDIR": folder}
        demo = start([program, "demo", "--speed", str(DAYS_A_MINUTE)], env=environment)
        with ended(demo):
            target = until(demo, r"metrics: http://([^/]+)/")
            configure(Path(folder), rules, target, clock)
            prometheus = start(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 "--web.listen-address=127.0.0.1:0"], cwd=folder)
            with ended(prometheus):
                # It says so twice: first with the port that was asked for, then with the one that it got.
                address = until(prometheus, r'msg="Listening on".*address=(\S*:[1-9]\d*)')
                yield f"http://{address}", clock


def configure(folder, rules, target, clock):
    """Writes Prometheus's configuration and rules, as they are but for their times."""
    example = (rules / "prometheus.example.yml").read_text()
    scraped = example.replace("_interval: 30s", "_interval: 1s").replace(
        f'targets: ["{USUAL}"]', f'targets: ["{target}"]\n        labels: {{ instance: "{USUAL}" }}')
    assert "_interval: 1s" in scraped and target in scraped, example
    (folder / "prometheus.yml").write_text(scraped)
    for path in rules.glob("*.rules.yml"):
        (folder / path.name).write_text(hurried(path.read_text(), clock))


def hurried(text, clock):
    """Rules that reckon with the demo's time: with ours nothing that has to last for an hour would ever fire."""
    now = f"({clock.origin:.0f} + (time() - {clock.origin:.0f}) * {clock.speed})"

    def lasts(found):
        return f"for: {int(found[1]) * SECONDS[found[2]] * 1000 // clock.speed}ms"

    return re.sub(r"for: (\d+)([smhd])$", lasts, text.replace("time()", now), flags=re.MULTILINE)


def start(command, **options):
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


@contextmanager
def ended(process):
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def until(process, pattern):
    """Reads on until a line matches, and lets what comes after it pass, as a full pipe would stop the process."""
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(pattern, line):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return found[1]
    raise SystemExit(f"{process.args[0]} ended:\n{''.join(said)}")
