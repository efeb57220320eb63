"""Who is in the organization: accounts, users, keys, and what must be found about each key.

The expected findings are written by hand, key by key, and computed by nobody: a rule that is shared with the
program under test would share its mistakes. Thresholds are 90 days (180 for users named `slow-*`).
"""

from dataclasses import dataclass, field
from datetime import timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# The edge of a 90 day threshold. An hour to either side leaves room for a slow machine and for AWS's 15 minute spans
# of recorded use, and still tells `>=` on durations from counting calendar days.
JUST_UNDER = 90 * DAY - HOUR
JUST_OVER = 90 * DAY + HOUR

EXTERNAL_ID = "conformance-external-id-1"

SCAN_ROLE = "KeysweepScan"
ENFORCE_ROLE = "KeysweepEnforce"
ROLE_PATH = "/keysweep/"


@dataclass
class Key:
    """An access key: how long ago it was made and last used, and the finding it must get."""

    made: timedelta
    used: timedelta | None = None
    finding: str | None = None
    status: str = "Active"
    service: str = "ec2"
    region: str = "us-east-1"


@dataclass
class User:
    """An IAM user. `kept` says what keeps the sweep off its keys although they have a finding."""

    name: str
    keys: list[Key] = field(default_factory=list)
    path: str = "/"
    tags: dict[str, str] = field(default_factory=dict)
    kept: str | None = None  # None | "exempt" | "protected"
    managed_policy: str | None = None
    password: bool = False


@dataclass
class Account:
    """A member account. `fate` is how a sweep must account for it: scanned, failed or skipped."""

    name: str
    ou: str | None
    users: list[User]
    fate: str = "scanned"
    roles: bool = True
    suspended: bool = False


def stale(**more) -> Key:
    """A key that was used and then forgotten."""
    return Key(made=400 * DAY, used=200 * DAY, finding="unused", **more)


def fresh(**more) -> Key:
    """A key in use."""
    return Key(made=400 * DAY, used=1 * DAY, **more)


PAYMENTS = Account(
    name="payments",
    ou="Production",
    users=[
        User("ci-deploy", [Key(made=400 * DAY, used=JUST_OVER, finding="unused")], path="/ci/"),
        User("ci-build", [Key(made=400 * DAY, used=JUST_UNDER)], path="/ci/"),
        User("never-used-old", [Key(made=JUST_OVER, finding="never_used")]),
        User("never-used-young", [Key(made=JUST_UNDER)]),
        User("made-yesterday", [Key(made=1 * DAY)]),
        # Both keys of a pair were made in the same second, so that no date tells them apart: only the key ID does.
        User("pair-first-stale", [stale(), fresh()]),
        User("pair-second-stale", [fresh(), stale()]),
        User("pair-both-stale", [stale(), Key(made=400 * DAY, finding="never_used")]),
        User("pair-both-fresh", [fresh(), fresh()]),
        # Two keys with dates of their own.
        User("rotated", [stale(), Key(made=30 * DAY, used=1 * DAY)]),
    ],
)

ANALYTICS = Account(
    name="analytics",
    ou="Development",
    users=[
        # IAM user names may hold [\w+=,.@-].
        User("smith,anna", [stale()]),
        User("o=hare+batch@example.com", [stale()]),
        User("under_score.dot-dash", [stale()]),
        User("n" * 64, [stale()]),
        User("deep", [stale()], path="/division_a/sub-division/team+1/"),
        User("s3-only", [stale(service="s3", region="N/A")]),
        User("inactive-old", [stale(status="Inactive", )]),
        User("half-inactive", [stale(status="Inactive"), stale()]),
        User("half-inactive-fresh", [fresh(), stale(status="Inactive")]),
        User("no-keys"),
        User("console-only", password=True),
        User("slow-batch", [Key(made=400 * DAY, used=120 * DAY)]),
        User("slow-gone", [Key(made=400 * DAY, used=181 * DAY, finding="unused")]),
    ],
)
for user in ANALYTICS.users:
    for key in user.keys:
        if key.status != "Active":
            key.finding = None  # an Inactive key harms nobody: a lifecycle state, never a finding

SANDBOX = Account(
    name="sandbox",
    ou="Sandbox",
    users=[
        User("break-glass", [stale()], tags={"keysweep:exempt": "on call"}, kept="exempt"),
        User("tagged-otherwise", [stale()], tags={"team": "data", "keysweep:exempt-not": "x"}),
        # Built-in protections: each of these needs a person.
        User("ses-smtp-user.20240102-030405", [stale(service="ec2")], kept="protected"),
        User("mailer", [stale(service="ses")], kept="protected"),
        User("compromised", [stale()], kept="protected", managed_policy="AWSCompromisedKeyQuarantineV3"),
        User("three-keys", [stale(), fresh(), stale()], kept="protected"),
        # Played by the test: used while the sweep is paused, and switched on again after its deactivation.
        User("wakes-up", [stale(), fresh()]),
        User("taken-back", [stale()]),
        User("plain", [stale()], tags={"owner": "anna@example.com"}),
    ],
)

VACANT = Account(name="vacant", ou="Sandbox", users=[])

ROLELESS = Account(
    name="legacy", ou=None, users=[User("left-alone", [stale()])], fate="failed", roles=False
)

CLOSED = Account(
    name="closed", ou="Sandbox", users=[User("left-alone", [stale()])], fate="skipped", suspended=True
)

MEMBERS = [PAYMENTS, ANALYTICS, SANDBOX, VACANT, ROLELESS, CLOSED]

# The management account has users of its own; with the default `management_account = "skip"` nobody looks at them.
MANAGEMENT = Account(name="management", ou=None, users=[User("left-alone", [stale()])], fate="skipped")

# OU name -> parent OU name; None is the root.
OUS = {"Workloads": None, "Production": "Workloads", "Development": "Workloads", "Sandbox": None}
