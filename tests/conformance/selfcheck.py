"""Shows that the stand-in for AWS refuses what AWS refuses. Takes `organization.py`'s introduction as its argument.

If a patch in `stricter_moto.py` no longer takes hold after an upgrade of moto, the conformance tests would still pass
and prove less. This fails instead.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

truth = json.loads(sys.argv[1])
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


def client(service: str, credentials: dict):
    return boto3.client(
        service, endpoint_url=truth["endpoint"], region_name=truth["region"], config=CONFIG, **credentials
    )


def assume(account: str, role: str, **more) -> dict:
    arn = f"arn:aws:iam::{account}:role/{truth['roles'][role]}"
    answer = client("sts", HUB).assume_role(RoleArn=arn, RoleSessionName="check", **more)
    assert answer["AssumedRoleUser"]["Arn"].split(":")[4] == account, answer
    made = answer["Credentials"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


def refused(code: str, call, **arguments) -> None:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error
    else:
        raise AssertionError(f"{call} with {arguments} was not refused")


def account(name: str) -> dict:
    return next(a for a in truth["accounts"] if a["account_name"] == name)


HUB = {
    "aws_access_key_id": truth["hub"]["access_key_id"],
    "aws_secret_access_key": truth["hub"]["secret_access_key"],
}
FORGED = HUB | {"aws_secret_access_key": "x" * 40}
EXTERNAL = {"ExternalId": truth["external_id"]}
payments, legacy, sandbox = (account(name) for name in ("payments", "legacy", "sandbox"))

# Signatures, roles, external IDs and identity policies count.
# Asked of IAM, whose protocol is XML: moto answers such errors in XML to every service, AWS in the service's own form.
refused("SignatureDoesNotMatch", client("iam", FORGED).list_users)
refused("AccessDenied", client("iam", HUB).list_users)
refused("AccessDenied", assume, account=payments["account_id"], role="scan")
refused("AccessDenied", assume, account=payments["account_id"], role="scan", ExternalId="another")
refused("AccessDenied", assume, account=legacy["account_id"], role="scan", **EXTERNAL)

# Organizations: several pages, the closed account is still listed.
pages = list(client("organizations", HUB).get_paginator("list_accounts").paginate())
listed = {a["Id"]: a for page in pages for a in page["Accounts"]}
assert len(pages) > 2, pages
assert set(listed) == {a["account_id"] for a in truth["accounts"]}, listed
assert listed[account("closed")["account_id"]]["State"] == "SUSPENDED", listed

# Each role may do its own part alone, and a session policy narrows it to one user.
victim = next(u for u in payments["users"] if u["user_name"] == "made-yesterday")
other = next(u for u in payments["users"] if u["user_name"] == "ci-build")
change = {"AccessKeyId": victim["keys"][0]["access_key_id"], "Status": "Active"}
scan = client("iam", assume(payments["account_id"], "scan", **EXTERNAL))
refused("AccessDenied", scan.update_access_key, UserName=victim["user_name"], **change)
narrow = {
    "Effect": "Allow",
    "Action": "iam:UpdateAccessKey",
    "Resource": f"arn:aws:iam::{payments['account_id']}:user{other['path']}{other['user_name']}",
}
session_policy = json.dumps({"Version": "2012-10-17", "Statement": [narrow]})
enforce = client("iam", assume(payments["account_id"], "enforce", Policy=session_policy, **EXTERNAL))
refused("AccessDenied", enforce.update_access_key, UserName=victim["user_name"], **change)
enforce = client("iam", assume(payments["account_id"], "enforce", **EXTERNAL))
enforce.update_access_key(UserName=victim["user_name"], **change)

# Keys unknown here, be they deleted or of another account, are AccessDenied, as in AWS.
foreign = sandbox["users"][0]["keys"][0]["access_key_id"]
for key in ("AKIAAAAAAAAAAAAAAAAA", foreign):
    refused("AccessDenied", scan.get_access_key_last_used, AccessKeyId=key)

# The report: dated now, root first, kept as it was made, one row per user whatever the name.
assert scan.generate_credential_report()["State"] == "STARTED"
assert scan.generate_credential_report()["State"] == "COMPLETE"
first, second = scan.get_credential_report(), scan.get_credential_report()
assert first["Content"] == second["Content"] and first["GeneratedTime"] == second["GeneratedTime"]
assert first["GeneratedTime"].year >= 2025, first["GeneratedTime"]
rows = first["Content"].decode().split("\n")
assert rows[0].startswith("user,arn,") and rows[1].startswith("<root_account>,"), rows[:2]
assert len(rows) == 2 + len(payments["users"]), rows
assert all(row.count(",") == 21 for row in rows), rows
print("as strict as needed")
