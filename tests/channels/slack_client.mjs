// Asks a Slack with Slack's client for JavaScript. Arguments: folder with node_modules, URL of the Web API, token.
//
// Reads a line of JSON each: `method`, `arguments`. Prints the answer, or `{"error": code, "retry_after": seconds}`.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, slackApiUrl, token] = process.argv.slice(2);
const { WebClient, LogLevel } = createRequire(`${folder}/`)("@slack/web-api");
const client = new WebClient(token, {
  slackApiUrl,
  logLevel: LogLevel.ERROR,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
});

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  let answer;
  try {
    answer = await client.apiCall(call.method, call.arguments);
  } catch (error) {
    const limited = error.code === "slack_webapi_rate_limited_error";
    const code = limited ? "ratelimited" : (error.data?.error ?? error.statusCode ?? error.message);
    answer = { error: code, retry_after: error.retryAfter ?? null };
  }
  console.log(JSON.stringify(answer));
}
