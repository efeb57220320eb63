// Verifies requests with the reference library of Standard Webhooks for JavaScript.
//
// Reads a line of JSON each: `secret`, `headers`, `body`. Prints `ok` or the error.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Webhook } = createRequire(`${process.argv[2]}/`)("standardwebhooks");

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const request = JSON.parse(line);
  try {
    new Webhook(request.secret).verify(request.body, request.headers);
    console.log("ok");
  } catch (error) {
    console.log(`${error.name}: ${error.message}`);
  }
}
