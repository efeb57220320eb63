// Connects to a Slack with Slack's Socket Mode client for JavaScript. Arguments: folder with node_modules, URL of the
// Web API, app-level token.
//
// Prints a line of JSON for each interaction: its payload. Acknowledges it, and refuses the reason `refuse me`.

import { createRequire } from "node:module";

const [folder, slackApiUrl, appToken] = process.argv.slice(2);
const { SocketModeClient, LogLevel } = createRequire(`${folder}/`)("@slack/socket-mode");
// The first timeout is also the wait before a reconnect.
const client = new SocketModeClient({
  appToken,
  clientPingTimeout: 2_000,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl },
});

client.on("interactive", async ({ ack, body, accepts_response_payload }) => {
  const reason = accepts_response_payload ? body.view.state.values.reason.reason.value : null;
  const refused = { response_action: "errors", errors: { reason: "No." } };
  console.log(JSON.stringify(body));
  await ack(reason === "refuse me" ? refused : undefined);
});
await client.start();
