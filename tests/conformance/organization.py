"""An AWS Organization served by moto, for one test.

Starts moto in this process on a free loopback port, fills it through boto3, prints one JSON line with the endpoint,
the hub's credentials and the truth about every key, and serves until stdin closes. Each line on stdin is a command,
answered by one line on stdout:

    {"cmd": "keys"}                                              every key's status, read with boto3
    {"cmd": "changes"}                                           every change that was asked of this AWS, in order
    {"cmd": "calls"}                                             every action that was called, with its count
    {"cmd": "use", "access_key_id": ID}                          signs a call with that key
    {"cmd": "activate", "access_key_id": ID}                     its owner switches it on again
    {"cmd": "session", "account_id": ID}                         credentials of an administrator of that account
    {"cmd": "quit"}
"""

import json
import logging
import sys
from collections import Counter
from datetime import datetime, timezone

import boto3
import cast
import stricter_moto
from botocore.config import Config
from moto.iam import models as iam_models
from moto.iam.models import AccessKeyLastUsed, iam_backends
from moto.moto_api._internal import mock_random
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
AUDITOR_ROLE = "OrganizationAccountAccessRole"

HUB_POLICY = ["organizations:List*", "organizations:Describe*", "sts:AssumeRole", "sts:GetCallerIdentity"]
SCAN_POLICY = [
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:ListUsers",
    "iam:ListUserTags",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountSummary",
    "iam:ListAttachedUserPolicies",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetLoginProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
]
ENFORCE_POLICY = [
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:AttachUserPolicy",
    "iam:DetachUserPolicy",
]
QUARANTINE_POLICY = "keysweep-quarantine-ask-security"


def policy(actions: list[str], effect: str = "Allow") -> str:
    """An identity policy that allows these actions on everything, or denies them."""
    statement = {"Effect": effect, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(account: str, external_id: str | None) -> str:
    """A trust policy for that account, asking for the external ID if one is given."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def ou_path(ou: str | None) -> list[str]:
    """Names of the OUs from below the root down to this one."""
    return [*ou_path(cast.OUS[ou]), ou] if ou else []


def rfc3339(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


class Organization:
    """The seeded organization, and what we know about it."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        # Without a zone, as moto keeps its dates.
        self.now = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
        self.secrets: dict[str, str] = {}
        self.owner: dict[str, tuple[str, str]] = {}  # key ID -> (account, user)
        self.truth: list[dict] = []
        # moto takes unknown credentials for its default account's, as long as it does not enforce IAM.
        self.root = {"aws_access_key_id": "seed", "aws_secret_access_key": "seed"}
        self.management = self.client("sts", self.root).get_caller_identity()["Account"]
        self.seed()
        self.auditor = self.mint_user("auditor", ["*"])
        self.hub = self.mint_user("keysweep-hub", HUB_POLICY)
        self.sessions = {account["account_id"]: self.session(account["account_id"]) for account in self.truth}
        stricter_moto.enforce_iam()

    def client(self, service: str, credentials: dict):
        # One attempt: a retry would hide a fault of the server. Chosen here, not by the environment.
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, config=config, **credentials
        )

    # -- seeding

    def seed(self) -> None:
        organizations = self.client("organizations", self.root)
        organizations.create_organization(FeatureSet="ALL")
        root_id = organizations.list_roots()["Roots"][0]["Id"]
        ous = {None: root_id}
        for name, parent in cast.OUS.items():
            made = organizations.create_organizational_unit(ParentId=ous[parent], Name=name)
            ous[name] = made["OrganizationalUnit"]["Id"]
        for member in cast.MEMBERS:
            made = organizations.create_account(AccountName=member.name, Email=f"{member.name}@example.com")
            account = made["CreateAccountStatus"]["AccountId"]
            tags = [{"Key": "team", "Value": member.name}, {"Key": "without value", "Value": ""}]
            organizations.tag_resource(ResourceId=account, Tags=tags)
            if member.ou:
                organizations.move_account(
                    AccountId=account, SourceParentId=root_id, DestinationParentId=ous[member.ou]
                )
            self.fill(account, member)
            if member.suspended:
                organizations.close_account(AccountId=account)
        self.add_auditor_role(self.management)
        self.fill(self.management, cast.MANAGEMENT)

    def add_auditor_role(self, account: str) -> None:
        """The role that moto, as AWS, puts into accounts made by Organizations, for the management account too."""
        self.client("iam", self.root).create_role(
            RoleName=AUDITOR_ROLE, AssumeRolePolicyDocument=trust(account, None)
        )

    def mint_user(self, name: str, actions: list[str]) -> dict:
        iam = self.client("iam", self.root)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=policy(actions))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def session(self, account: str) -> dict:
        """Credentials of the auditor in that account: the truth is read with them, past keysweep."""
        credentials = self.client("sts", self.auditor).assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{AUDITOR_ROLE}", RoleSessionName="auditor"
        )["Credentials"]
        session = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
        self.client("iam", session).put_role_policy(
            RoleName=AUDITOR_ROLE, PolicyName="allowed", PolicyDocument=policy(["*"])
        )
        return session

    def fill(self, account: str, member: cast.Account) -> None:
        """Roles, users and keys of one account."""
        credentials = dict(self.root)
        if account != self.management:
            assumed = self.client("sts", self.root).assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/{AUDITOR_ROLE}", RoleSessionName="seed"
            )["Credentials"]
            credentials = {
                "aws_access_key_id": assumed["AccessKeyId"],
                "aws_secret_access_key": assumed["SecretAccessKey"],
                "aws_session_token": assumed["SessionToken"],
            }
        iam = self.client("iam", credentials)
        if member.roles:
            for role, actions in [(cast.SCAN_ROLE, SCAN_POLICY), (cast.ENFORCE_ROLE, ENFORCE_POLICY)]:
                iam.create_role(
                    RoleName=role,
                    Path=cast.ROLE_PATH,
                    AssumeRolePolicyDocument=trust(self.management, cast.EXTERNAL_ID),
                )
                iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=policy(actions))
            # Whatever makes the roles makes it, too.
            iam.create_policy(PolicyName=QUARANTINE_POLICY, PolicyDocument=policy(["*"], "Deny"))
        self.truth.append(
            {
                "account_id": account,
                "account_name": member.name,
                "fate": member.fate,
                "ou_path": "/".join(ou_path(member.ou)),
                "users": [self.add_user(iam, account, user) for user in member.users],
            }
        )

    def add_user(self, iam, account: str, user: cast.User) -> dict:
        tags = [{"Key": name, "Value": value} for name, value in user.tags.items()]
        made = iam.create_user(UserName=user.name, Path=user.path, Tags=tags)["User"]
        if user.password:
            iam.create_login_profile(UserName=user.name, Password="Correct-Horse-1")
        if user.managed_policy:
            # moto holds no such managed policy unless it loads all of AWS's; a customer's of that name lists alike.
            arn = iam.create_policy(PolicyName=user.managed_policy, PolicyDocument=policy(["s3:ListBucket"]))
            iam.attach_user_policy(UserName=user.name, PolicyArn=arn["Policy"]["Arn"])
        stored = iam_backends[account]["aws"].users[user.name]
        # moto's user IDs are any 20 letters and digits in lower case; AWS's start with AIDA and are in upper case.
        stored.id = f"AIDA{made['UserId'][4:].upper()}"
        # AWS's dates are whole seconds.
        stored.create_date = stored.create_date.replace(microsecond=0)
        return {
            "user_name": user.name,
            "user_id": iam.get_user(UserName=user.name)["User"]["UserId"],
            "path": user.path,
            "tags": user.tags,
            "managed_policy": user.managed_policy,
            "password": user.password,
            "kept": user.kept,
            "keys": [self.add_key(iam, account, stored, key) for key in user.keys],
            "created_at": rfc3339(stored.create_date),
        }

    def add_key(self, iam, account: str, stored, key: cast.Key) -> dict:
        """A key made through the API, then backdated in moto's own store: no API can do that."""
        # AWS's quota of two is not airtight: parallel creates have made eight.
        quota, iam_models.LIMIT_KEYS_PER_USER = iam_models.LIMIT_KEYS_PER_USER, 8
        made = iam.create_access_key(UserName=stored.name)["AccessKey"]
        iam_models.LIMIT_KEYS_PER_USER = quota
        key_id = made["AccessKeyId"]
        self.secrets[key_id] = made["SecretAccessKey"]
        self.owner[key_id] = (account, stored.name)
        if key.status != "Active":
            iam.update_access_key(UserName=stored.name, AccessKeyId=key_id, Status=key.status)
        record = stored.get_access_key_by_id(key_id)
        record.create_date = self.now - key.made
        stored.create_date = min(stored.create_date, record.create_date)  # no key is older than its user
        used = self.now - key.used if key.used is not None else None
        if used:
            record.last_used = AccessKeyLastUsed(timestamp=used, service=key.service, region=key.region)
        return {
            "access_key_id": key_id,
            "status": key.status,
            "created_at": rfc3339(record.create_date),
            "last_used_at": rfc3339(used),
            "service": key.service,
            "region": key.region,
            "finding": key.finding,
        }

    # -- what the test asks

    def introduction(self) -> dict:
        return {
            "endpoint": self.endpoint,
            "region": REGION,
            "external_id": cast.EXTERNAL_ID,
            "roles": {
                "scan": cast.ROLE_PATH.lstrip("/") + cast.SCAN_ROLE,
                "enforce": cast.ROLE_PATH.lstrip("/") + cast.ENFORCE_ROLE,
            },
            "hub": {
                "access_key_id": self.hub["aws_access_key_id"],
                "secret_access_key": self.hub["aws_secret_access_key"],
            },
            "accounts": self.truth,
            "expected_accounts": {
                fate: sorted(a["account_id"] for a in self.truth if a["fate"] == fate)
                for fate in ("scanned", "failed", "skipped")
            },
        }

    def keys(self) -> list[dict]:
        found = []
        for account, session in self.sessions.items():
            iam = self.client("iam", session)
            for page in iam.get_paginator("list_users").paginate():
                for user in page["Users"]:
                    if user["UserName"] in ("keysweep-hub", "auditor"):
                        continue
                    for key in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
                        found.append(
                            {
                                "account_id": account,
                                "user_name": user["UserName"],
                                "access_key_id": key["AccessKeyId"],
                                "status": key["Status"],
                            }
                        )
        return found

    def changes(self) -> list[dict]:
        """Changes asked of this AWS since seeding, whether granted or not, and by which role."""
        return [vars(call) for call in stricter_moto.LEDGER if call.is_change()]

    def calls(self) -> dict[str, int]:
        ours = f"role/{AUDITOR_ROLE}"
        return Counter(c.action for c in stricter_moto.LEDGER if not c.actor.endswith(ours))

    def use(self, key_id: str) -> str:
        credentials = {"aws_access_key_id": key_id, "aws_secret_access_key": self.secrets[key_id]}
        return self.client("sts", credentials).get_caller_identity()["Arn"]

    def activate(self, key_id: str) -> None:
        account, user = self.owner[key_id]
        iam = self.client("iam", self.sessions[account])
        iam.update_access_key(UserName=user, AccessKeyId=key_id, Status="Active")

    def answer(self, command: dict):
        match command["cmd"]:
            case "keys":
                return self.keys()
            case "changes":
                return self.changes()
            case "calls":
                return self.calls()
            case "use":
                return self.use(command["access_key_id"])
            case "activate":
                return self.activate(command["access_key_id"])
            case "session":
                return {name.removeprefix("aws_"): value for name, value in self.sessions[command["account_id"]].items()}
            case other:
                raise ValueError(f"unknown command {other!r}")


def say(value) -> None:
    print(json.dumps(value), flush=True)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request helps nobody
    mock_random.seed(20260101)
    stricter_moto.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    organization = Organization(f"http://{host}:{port}")
    stricter_moto.LEDGER.clear()
    say(organization.introduction())
    for line in sys.stdin:
        command = json.loads(line)
        if command["cmd"] == "quit":
            break
        try:
            say({"ok": organization.answer(command)})
        except Exception as fault:  # told to the test, which fails with it
            say({"error": f"{type(fault).__name__}: {fault}"})
    server.stop()


if __name__ == "__main__":
    main()
