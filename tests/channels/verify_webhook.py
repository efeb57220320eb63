"""Verifies requests with the reference library of Standard Webhooks for Python.

Reads a line of JSON each: `secret`, `headers`, `body`. Prints `ok` or the error.
"""

import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("ok")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
