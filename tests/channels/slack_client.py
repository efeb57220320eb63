"""Asks a Slack with Slack's client for Python. Arguments: URL of the Web API, token.

Reads a line of JSON each: `method`, `arguments`. Prints the answer, or `{"error": code, "retry_after": seconds}`.
"""

import json
import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token=sys.argv[2], base_url=sys.argv[1], retry_handlers=[], timeout=20)
METHODS = {
    "auth.test": client.auth_test,
    "users.lookupByEmail": client.users_lookupByEmail,
    "chat.postMessage": client.chat_postMessage,
    "chat.update": client.chat_update,
    "chat.postEphemeral": client.chat_postEphemeral,
    "views.open": client.views_open,
}

for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = METHODS[call["method"]](**call["arguments"]).data
    except SlackApiError as error:
        retry_after = error.response.headers.get("Retry-After", error.response.headers.get("retry-after"))
        code = error.response["error"] if isinstance(error.response.data, dict) else error.response.status_code
        answer = {"error": code, "retry_after": int(retry_after) if retry_after else None}
    print(json.dumps(answer), flush=True)
