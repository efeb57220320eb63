"""Connects to a Slack with Slack's Socket Mode client for Python. Arguments: URL of the Web API, app-level token.

Prints a line of JSON for each interaction: its payload. Acknowledges it, and refuses the reason `refuse me`.
"""

import json
import sys

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse


def interaction(client, request):
    answer = None
    if request.accepts_response_payload:
        reason = request.payload["view"]["state"]["values"]["reason"]["reason"]["value"]
        if reason == "refuse me":
            answer = {"response_action": "errors", "errors": {"reason": "No."}}
    print(json.dumps(request.payload), flush=True)
    client.send_socket_mode_response(SocketModeResponse(request.envelope_id, answer))


web_client = WebClient(base_url=sys.argv[1], timeout=20)
client = SocketModeClient(app_token=sys.argv[2], web_client=web_client)
client.socket_mode_request_listeners.append(interaction)
client.connect()
sys.stdin.read()
