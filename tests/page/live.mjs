// How the page keeps itself up to date in Chromium: it takes over what is new, and leaves alone whoever is using it.
//
// Arguments: folder with node_modules, folder with the views (see look.mjs). Exits with 1 if anything is wrong.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [folder, views] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");
const policy = fs.readFileSync(path.join(views, "policy.txt"), "utf8");
const VIEW = "/many-operator-holds";
const LOGIN = "/one-visitor-login";

let state = "usual";
let asked = 0;
const server = http.createServer((request, response) => {
  if (request.url === "/page.js") {
    response.setHeader("content-type", "text/javascript");
    response.end(fs.readFileSync(path.join(views, "page.js")));
    return;
  }
  if (!request.url.startsWith("/many-") && !request.url.startsWith("/one-")) {
    response.writeHead(404).end();
    return;
  }
  asked += 1;
  if (state === "down") {
    response.writeHead(503).end();
    return;
  }
  if (state === "logged out" && request.url === VIEW) {
    response.writeHead(303, { location: LOGIN }).end();
    return;
  }
  let html = fs.readFileSync(path.join(views, `${request.url}.html`), "utf8");
  if (state === "changed") html = html.replace("Ann Example", "Bob Example").replace(/<p class="said[^]*?<\/p>/, "");
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.setHeader("content-security-policy", policy);
  response.end(html);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}`;

let wrong = 0;
const check = (what, ok) => {
  wrong += ok ? 0 : 1;
  console.log(`${ok ? "ok" : "WRONG"}: ${what}`);
};
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage();
await page.clock.install();
const live = page.locator("#live");
const reason = page.locator("details input[name=reason]").first();
const summary = page.locator("details > summary").first();
const minute = () => page.clock.fastForward(61_000);
const says = (text) => live.filter({ hasText: text }).waitFor();
const blur = () => page.evaluate(() => document.activeElement.blur());

await page.goto(base + VIEW);
await says("Refreshed every minute");
state = "changed";
await minute();
await page.locator(".person", { hasText: "Bob Example" }).waitFor();
check("what is new shows", true);
check("the outcome of a decision stays", (await page.locator("#said").count()) === 1);

await summary.click();
asked = 0;
await minute();
await says("Not refreshed while you use this page");
check("a form that is open is left alone", asked === 0);

await summary.click();
await blur();
await minute();
await says("Refreshed every minute");
check("once it is closed, the view refreshes again", asked === 1);

await summary.click();
await reason.fill("x");
await summary.click();
await blur();
asked = 0;
await minute();
await says("Not refreshed while you use this page");
check("a field that was touched is left alone", asked === 0);

await page.goto(base + VIEW);
state = "down";
await minute();
await says("keysweep does not answer");
check("without an answer, what was shown stays", (await page.locator("table").count()) === 2);

state = "logged out";
await minute();
await page.waitForURL(`**${LOGIN}`);
check("a session that is over leads to the login", true);

await browser.close();
server.close();
process.exitCode = wrong > 0 ? 1 : 0;
