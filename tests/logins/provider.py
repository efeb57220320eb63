"""An OpenID Connect provider on loopback: oidc-provider-mock. Prints a line of JSON with its issuer when it listens.

Its user `anna` has groups and a verified address; everybody else has neither.
"""

import json
import logging
import os
import sys
from datetime import timedelta

# The library refuses to work without TLS otherwise, on loopback too.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from oidc_provider_mock import User, run_server_in_thread

# Every request otherwise.
logging.getLogger("werkzeug").setLevel(logging.ERROR)

ANNA = User(
    sub="anna",
    claims={
        "preferred_username": "anna@example.com",
        "email": "anna@example.com",
        "email_verified": True,
        "groups": ["security", "ops"],
    },
)

with run_server_in_thread(access_token_max_age=timedelta(seconds=60), user_claims=[ANNA]) as server:
    print(json.dumps({"issuer": f"http://localhost:{server.server_port}"}), flush=True)
    # Until the test ends.
    sys.stdin.read()
