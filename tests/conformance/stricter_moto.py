"""Makes moto answer as AWS does where it is lenient or differs in what keysweep relies on, and keeps a ledger.

Each patch names the difference; in all of them AWS's side is the right one. Left as moto has it, knowingly:

* dates in the credential report end in `+00:00` (AWS writes `Z` by now; both occur in the wild),
* last-used region and service in the report are `not_supported` (AWS fills them),
* no 23rd column `additional_credentials_info` for a user with more than two keys (AWS adds it),
* ListUsers and ListAccessKeys answer in one page (AWS cuts pages),
* last use is known at once (AWS lags by minutes to hours),
* an Inactive key still authenticates (AWS refuses it, and logs nothing),
* conditions of session policies are not judged (AWS does).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError
from moto.core.responses import ActionResult, BaseResponse
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.models import User as IamUser
from moto.iam.responses import IamResponse
from moto.organizations.utils import PAGINATION_MODEL
from moto.sts.models import AssumedRole, STSBackend, sts_backends

REPORT_LIFETIME = timedelta(hours=4)
READS = ("Get", "List", "Describe", "Generate", "AssumeRole", "Simulate")


@dataclass
class Call:
    """One request that reached moto."""

    account: str
    actor: str
    action: str
    user: str | None
    key: str | None
    status: str | None

    def is_change(self) -> bool:
        return not self.action.split(":")[1].startswith(READS)


LEDGER: list[Call] = []


def install() -> None:
    """Puts the patches in place. Once, before the server starts."""
    BaseResponse.call_action = _recorded(BaseResponse.call_action)
    IAMRequestBase.check_action_permitted = _within_session_policy(IAMRequestBase.check_action_permitted)
    STSBackend.assume_role = _trusting(STSBackend.assume_role)
    IAMBackend.get_access_key_last_used = _last_used_of_own_keys
    IAMBackend.get_credential_report = _credential_report
    IamResponse.get_credential_report = _dated_credential_report
    IamUser.to_csv = _quoted(IamUser.to_csv)
    # ListAccounts cuts pages at 20 in AWS, at 100 in moto. Two makes this small organization need several.
    PAGINATION_MODEL["list_accounts"]["limit_default"] = 2


def enforce_iam() -> None:
    """From here on signatures and role policies are checked, as AWS always does. Seeding goes before."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    ActionAuthenticatorMixin.request_count = 0


def _recorded(call_action):
    def recorded(self):
        parameters = self.querystring

        def parameter(name):
            values = parameters.get(name)
            return values[0] if values else None

        session = _session(self.current_account, self.access_key)
        LEDGER.append(
            Call(
                account=self.current_account,
                actor=session.role_arn if session else self.access_key,
                action=f"{self.service_name}:{self._get_action()}",
                user=parameter("UserName"),
                key=parameter("AccessKeyId"),
                status=parameter("Status"),
            )
        )
        return call_action(self)

    return recorded


def _session(account: str, access_key: str) -> AssumedRole | None:
    return sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)


def _trusting(assume_role):
    """AssumeRole. moto lets anybody assume a role that does not exist, and never asks for the external ID."""

    def trusting(self, role_arn, external_id, **more):
        account = role_arn.split(":")[4]
        role = next((r for r in iam_backends[account]["aws"].get_roles() if r.arn == role_arn), None)
        wanted = _external_ids(role) if role else None
        if role is None or (wanted and external_id not in wanted):
            # AWS does not tell a missing role from a refusing one.
            raise AccessDeniedError(user_arn=self.account_id, action=f"sts:AssumeRole on resource: {role_arn}")
        return assume_role(self, role_arn=role_arn, external_id=external_id, **more)

    return trusting


def _external_ids(role) -> list[str]:
    """Those that the trust policy admits; none where it does not ask."""
    statement = _listed(json.loads(role.assume_role_policy_document)["Statement"])[0]
    return _listed(statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId", []))


def _within_session_policy(check_action_permitted):
    """moto ignores session policies; AWS allows only what role and session policy both allow.

    Action and resource of the Allow statements are judged; conditions are not.
    """

    def within_session_policy(self, resource):
        check_action_permitted(self, resource)
        session = _session(self.account_id, self._access_key._access_key_id)
        if session is None or not session.policy or self._action == "sts:GetCallerIdentity":
            return
        names = self._data.get("UserName")
        user = iam_backends[self.account_id]["aws"].users.get(names[0]) if names else None
        target = user.arn if user else "*"
        for statement in _listed(json.loads(session.policy)["Statement"]):
            actions = [action.lower() for action in _listed(statement.get("Action", []))]
            resources = _listed(statement.get("Resource", []))
            if (
                statement["Effect"] == "Allow"
                and any(fnmatchcase(self._action.lower(), action) for action in actions)
                and any(fnmatchcase(target, pattern) for pattern in resources)
            ):
                return
        raise AccessDeniedError(user_arn=self._access_key.arn, action=self._action)

    return within_session_policy


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _last_used_of_own_keys(self, access_key_id: str):
    """moto finds keys of every account, and answers NoSuchEntity for unknown ones.

    AWS answers 403 AccessDenied for unknown, deleted and foreign keys alike.
    """
    for user in self.users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key_id:
                return {"user_name": user.name, "last_used": key.last_used}
    raise AccessDeniedError(user_arn=self.account_id, action="iam:GetAccessKeyLastUsed")


def _credential_report(self) -> str:
    """moto renders the report anew each time, without the root row, with a newline at the end.

    AWS makes one report per account and does not change its bytes for four hours, puts `<root_account>` first, and
    ends without a newline.
    """
    now = datetime.now(timezone.utc)
    made = getattr(self, "conformance_report", None)
    if made and now - made[0] < REPORT_LIFETIME:
        return made[1]
    header, *rows = _plain_credential_report(self).splitlines()
    root = ["<root_account>", f"arn:aws:iam::{self.account_id}:root", "2020-01-01T00:00:00+00:00"]
    root += ["not_supported", "no_information", "not_supported", "not_supported", "true"]
    root += 2 * ["false", "N/A", "N/A", "N/A", "N/A"] + 2 * ["false", "N/A"]
    text = "\n".join([header, ",".join(root), *rows])
    self.conformance_report = (now, text)
    return text


_plain_credential_report = IAMBackend.get_credential_report


def _dated_credential_report(self) -> ActionResult:
    """moto claims that every report was made in February 2015; AWS tells the truth."""
    content = self.backend.get_credential_report()
    made = self.backend.conformance_report[0]
    return ActionResult({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": made})


def _quoted(to_csv):
    """moto writes a user name with a comma bare, which makes the row one column too long.

    We have no record of what AWS writes; RFC 4180 quotes are the only form that its readers can take apart.
    """

    def quoted(self) -> str:
        row = to_csv(self)
        bare = f"{self.name},{self.arn},"
        assert row.startswith(bare), row
        if "," not in self.name:
            return row
        return f'"{self.name}","{self.arn}",' + row[len(bare) :]

    return quoted
