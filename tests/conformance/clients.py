"""boto3 against the simulator: its parsers, paginators and error classes judge our wire format.

Takes one JSON argument, the truth as the simulator's own getters tell it; fails with an assertion where boto3 saw
anything else. Changes keys, so it wants a simulator of its own.
"""

import csv
import io
import json
import sys
from datetime import datetime

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

truth = json.loads(sys.argv[1])
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
MEMBER, USER = truth["member"], truth["user"]


def client(service: str, credentials: dict, region: str = "us-east-1"):
    return boto3.client(
        service, endpoint_url=truth["endpoint"], region_name=region, config=CONFIG, **credentials
    )


def refused(status: int, code: str, call, **arguments) -> ClientError:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return error
    raise AssertionError(f"{call} with {arguments} was not refused")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


HUB = {
    "aws_access_key_id": truth["hub"]["access_key_id"],
    "aws_secret_access_key": truth["hub"]["secret_access_key"],
}
sts = client("sts", HUB)
organizations = client("organizations", HUB)


def assumed(account: str, **more) -> dict:
    role = f"arn:aws:iam::{account}:role/keysweep/KeysweepScan"
    answer = sts.assume_role(
        RoleArn=role, RoleSessionName="check", ExternalId="x1", SourceIdentity="keysweep", **more
    )
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/KeysweepScan/check", answer
    assert answer["SourceIdentity"] == "keysweep", answer
    made = answer["Credentials"]
    assert made["AccessKeyId"].startswith("ASIA"), made["AccessKeyId"]
    assert isinstance(made["Expiration"], datetime)
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


def check_sts() -> None:
    assert sts.get_caller_identity()["Account"] == truth["management"]
    inside = client("sts", assumed(MEMBER)).get_caller_identity()
    assert inside["Account"] == MEMBER, inside
    assert inside["Arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/KeysweepScan/check", inside
    role = {"RoleArn": f"arn:aws:iam::{MEMBER}:role/keysweep/KeysweepScan", "RoleSessionName": "check"}
    refused(403, "AccessDenied", sts.assume_role, **role)
    refused(403, "AccessDenied", sts.assume_role, ExternalId="another", **role)
    unknown = HUB | {"aws_access_key_id": "AKIAUNKNOWNUNKNOWN00"}
    refused(403, "InvalidClientTokenId", client("sts", unknown).get_caller_identity)
    refused(400, "UnrecognizedClientException", client("organizations", unknown).list_roots)


def parent_of(child: str) -> dict:
    pages = organizations.get_paginator("list_parents").paginate(ChildId=child)
    (parent,) = pages.build_full_result()["Parents"]
    return parent


def check_organizations() -> None:
    assert organizations.describe_organization()["Organization"]["MasterAccountId"] == truth["management"]
    pages = list(organizations.get_paginator("list_accounts").paginate())
    accounts = {account["Id"]: account for page in pages for account in page["Accounts"]}
    assert set(accounts) == set(truth["accounts"]), accounts
    assert len(pages) > 2 and any(not page["Accounts"] for page in pages), "pages, and empty ones among them"
    assert accounts[MEMBER]["State"] == "ACTIVE" and accounts[MEMBER]["Name"] == "prod", accounts[MEMBER]
    assert isinstance(accounts[MEMBER]["JoinedTimestamp"], datetime)
    assert accounts[truth["suspended"]]["State"] == "SUSPENDED"
    assert organizations.describe_account(AccountId=MEMBER)["Account"]["Id"] == MEMBER

    # From the account up to the root, and down again.
    parent = parent_of(MEMBER)
    assert parent["Type"] == "ORGANIZATIONAL_UNIT" and parent["Id"] == truth["ou"], parent
    unit = organizations.describe_organizational_unit(OrganizationalUnitId=parent["Id"])["OrganizationalUnit"]
    assert unit["Name"] == "Prod", unit
    above = parent_of(parent["Id"])
    (root,) = organizations.get_paginator("list_roots").paginate().build_full_result()["Roots"]
    top = parent_of(above["Id"])
    assert top == {"Id": root["Id"], "Type": "ROOT"}, top
    down = organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=root["Id"])
    assert above["Id"] in {unit["Id"] for unit in down.build_full_result()["OrganizationalUnits"]}
    inside = organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent["Id"])
    assert MEMBER in {account["Id"] for account in inside.build_full_result()["Accounts"]}
    children = organizations.get_paginator("list_children").paginate(ParentId=parent["Id"], ChildType="ACCOUNT")
    assert {"Id": MEMBER, "Type": "ACCOUNT"} in children.build_full_result()["Children"]
    tags = organizations.get_paginator("list_tags_for_resource").paginate(ResourceId=MEMBER)
    assert tags.build_full_result()["Tags"] == [{"Key": "team", "Value": "payments & <co>"}]
    refused(400, "AccountNotFoundException", organizations.describe_account, AccountId="999999999999")
    refused(400, "AccessDeniedException", client("organizations", assumed(MEMBER)).list_accounts)


def check_users(iam) -> None:
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
    users = {user["UserName"]: user for page in pages for user in page["Users"]}
    assert len(pages) > 1 and set(users) == set(truth["users"]), users
    user = users[USER["name"]]
    assert user["UserId"] == USER["user_id"] and user["Path"] == "/ci/", user
    assert user["Arn"] == f"arn:aws:iam::{MEMBER}:user/ci/{USER['name']}", user
    assert "Tags" not in user, "ListUsers omits tags"
    assert iam.get_user(UserName=USER["name"])["User"]["Tags"] == [{"Key": "note", "Value": "a <b> & \"c\""}]
    assert iam.list_user_tags(UserName=USER["name"])["Tags"] == [{"Key": "note", "Value": "a <b> & \"c\""}]
    attached = iam.get_paginator("list_attached_user_policies").paginate(UserName=USER["name"])
    names = [policy["PolicyName"] for policy in attached.build_full_result()["AttachedPolicies"]]
    assert names == ["ReadOnlyAccess"], names
    assert iam.get_login_profile(UserName=USER["name"])["LoginProfile"]["UserName"] == USER["name"]
    refused(404, "NoSuchEntity", iam.get_user, UserName="nobody")
    refused(404, "NoSuchEntity", iam.list_access_keys, UserName="nobody")
    refused(404, "NoSuchEntity", iam.get_login_profile, UserName=truth["comma_user"])


def check_keys(iam) -> None:
    pages = iam.get_paginator("list_access_keys").paginate(
        UserName=USER["name"], PaginationConfig={"PageSize": 1}
    )
    keys = {key["AccessKeyId"]: key for page in pages for key in page["AccessKeyMetadata"]}
    assert set(keys) == {key["id"] for key in USER["keys"]}, keys
    for key in USER["keys"]:
        seen = keys[key["id"]]
        assert seen["Status"] == key["status"] and seen["UserName"] == USER["name"], seen
        assert seen["CreateDate"] == moment(key["created"]), (seen, key)
        answer = iam.get_access_key_last_used(AccessKeyId=key["id"])
        assert answer["UserName"] == USER["name"], answer
        used = answer["AccessKeyLastUsed"]
        if key["used"]:
            assert used["LastUsedDate"] == moment(key["used"]), used
            assert (used["ServiceName"], used["Region"]) == ("s3", "N/A"), used
        else:
            assert used == {"ServiceName": "N/A", "Region": "N/A"}, used
    # AWS's answer for a key that it does not know here, be it nobody's, deleted or another account's.
    for key in ("AKIANOBODYSKEY000000", truth["foreign_key"]):
        refused(403, "AccessDenied", iam.get_access_key_last_used, AccessKeyId=key)


def check_report(iam) -> None:
    refused(410, "ReportNotPresent", iam.get_credential_report)
    states = [iam.generate_credential_report()["State"]]
    assert states == ["STARTED"], states
    refused(404, "ReportInProgress", iam.get_credential_report)
    while states[-1] != "COMPLETE":
        states.append(iam.generate_credential_report()["State"])
        assert len(states) < 5, states
    answer = iam.get_credential_report()
    assert answer["ReportFormat"] == "text/csv" and isinstance(answer["GeneratedTime"], datetime), answer
    rows = list(csv.DictReader(io.StringIO(answer["Content"].decode())))
    assert rows[0]["user"] == "<root_account>", rows[0]
    assert {row["user"] for row in rows[1:]} == set(truth["users"]), rows
    assert all(None not in row and None not in row.values() for row in rows), "each row is as long as the header"
    row = next(row for row in rows if row["user"] == USER["name"])
    slots = [(row[f"access_key_{n}_active"], row[f"access_key_{n}_last_used_date"]) for n in (1, 2)]
    active = {"Active": "true", "Inactive": "false"}
    assert sorted(slots) == sorted((active[key["status"]], key["used"] or "N/A") for key in USER["keys"]), slots


def check_changes() -> None:
    victim, sibling = (key["id"] for key in USER["keys"])
    narrow = {
        "Effect": "Allow",
        "Action": "iam:UpdateAccessKey",
        "Resource": f"arn:aws:iam::{MEMBER}:user/ci/{USER['name']}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [narrow]})
    limited = client("iam", assumed(MEMBER, Policy=policy))
    change = {"UserName": USER["name"], "AccessKeyId": victim}
    limited.update_access_key(Status="Inactive", **change)
    refused(403, "AccessDenied", limited.delete_access_key, **change)
    iam = client("iam", assumed(MEMBER))

    def statuses() -> dict[str, str]:
        listed = iam.list_access_keys(UserName=USER["name"])["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    before = {key["id"]: key["status"] for key in USER["keys"]}
    assert statuses() == before | {victim: "Inactive"}
    iam.update_access_key(Status="Inactive", **change)  # repeating is harmless
    refused(404, "NoSuchEntity", iam.update_access_key, UserName="nobody", AccessKeyId=victim, Status="Active")
    iam.delete_access_key(**change)
    assert statuses() == {sibling: before[sibling]}
    refused(404, "NoSuchEntity", iam.delete_access_key, **change)
    refused(404, "NoSuchEntity", iam.update_access_key, Status="Active", **change)
    refused(403, "AccessDenied", iam.get_access_key_last_used, AccessKeyId=victim)


def check_trail() -> None:
    trail = client("cloudtrail", assumed(MEMBER), "eu-west-1")
    of_key = [{"AttributeKey": "AccessKeyId", "AttributeValue": truth["idle_key"]}]
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=of_key, PaginationConfig={"PageSize": 2})
    pages = [page["Events"] for page in pages]
    assert [len(page) for page in pages] == [2, 1], pages
    event = pages[0][0]
    assert (event["EventName"], event["EventSource"]) == ("DescribeInstances", "ec2.amazonaws.com"), event
    assert (event["Username"], event["ReadOnly"]) == ("idle", "true"), event
    assert isinstance(event["EventTime"], datetime), event
    record = json.loads(event["CloudTrailEvent"])
    assert record["userIdentity"]["accessKeyId"] == truth["idle_key"], record
    assert moment(record["eventTime"]) == event["EventTime"], record
    assert client("cloudtrail", assumed(MEMBER)).lookup_events(LookupAttributes=of_key)["Events"] == []
    refused(400, "InvalidNextTokenException", trail.lookup_events, NextToken="nonsense")
    refused(400, "InvalidLookupAttributesException", trail.lookup_events, LookupAttributes=of_key * 2)
    refused(400, "InvalidMaxResultsException", trail.lookup_events, MaxResults=51)
    disabled = client("cloudtrail", assumed(MEMBER), "eu-south-1")
    refused(400, "UnrecognizedClientException", disabled.lookup_events)

    # The deletion that boto3 has made itself.
    deletions = [{"AttributeKey": "EventName", "AttributeValue": "DeleteAccessKey"}]
    found = client("cloudtrail", assumed(MEMBER)).lookup_events(LookupAttributes=deletions)["Events"]
    applied = [json.loads(event["CloudTrailEvent"]) for event in found]
    applied = [record for record in applied if "errorCode" not in record]
    assert [record["requestParameters"]["accessKeyId"] for record in applied] == [USER["keys"][0]["id"]], applied
    assert "Boto3" in applied[0]["userAgent"], applied


def check_regions() -> None:
    account = client("account", assumed(MEMBER))
    pages = account.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 10})
    regions = {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
    by_default = [name for name, status in regions.items() if status == "ENABLED_BY_DEFAULT"]
    assert len(by_default) == 17 and regions["eu-south-1"] == "DISABLED", regions
    disabled = account.list_regions(RegionOptStatusContains=["DISABLED"])["Regions"]
    assert len(disabled) == len(regions) - 17, disabled
    refused(400, "ValidationException", account.list_regions, NextToken="nonsense")
    refused(403, "AccessDeniedException", account.list_regions, AccountId=truth["management"])


check_sts()
check_organizations()
member = client("iam", assumed(MEMBER))
check_users(member)
check_keys(member)
check_report(member)
check_changes()
check_trail()
check_regions()
print("boto3 understood every answer")
