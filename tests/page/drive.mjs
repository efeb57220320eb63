// A browser that does what the lines on standard input say, one JSON object each, and answers each with a line.
//
// Arguments: folder with node_modules, origin of the page, port that serves it on loopback, the texts that no page may
// contain as a JSON array, and the origins of others that may be visited as another. An answer has the value, or the error,
// and everything that was wrong in the meantime: an error or a warning in the console, an answer of 4xx or 5xx that the line
// did not expect, a page that browsers may keep, a request to another origin, a dialog, or a secret in a page. Pages of the
// others are not judged. The environment variable CHROMIUM names the browser, /usr/bin/chromium by default.

import fs from "node:fs";
import { createRequire } from "node:module";
import readline from "node:readline";

const [folder, origin, port, given, others] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
// Within it, a page has to be there and an element to be usable.
const PATIENCE = 30_000;

const secrets = JSON.parse(given);
const guests = JSON.parse(others);
const isGuest = (url) => guests.some((guest) => url.startsWith(`${guest}/`));
const { host, hostname } = new URL(origin);
// Nothing but loopback has an address.
const rules = ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"];
if (hostname !== "127.0.0.1") rules.unshift(`MAP ${host} 127.0.0.1:${port}`);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", `--host-resolver-rules=${rules.join(",")}`],
});

let context;
let page;
let wrong = [];
let pending = [];
let posts = [];
let expected = 200;
let unplugged = false;

async function inspect(response) {
  const request = response.request();
  const url = response.url();
  const status = response.status();
  if (isGuest(url)) return;
  const headers = response.headers();
  if (headers["cache-control"] !== "no-store") wrong.push(`${url} may be kept: ${headers["cache-control"]}`);
  if (status >= 400 && status !== expected) wrong.push(`${request.method()} ${url}: ${status}`);
  if (request.method() === "POST") posts.push({ url, origin: (await request.allHeaders()).origin ?? null });
  if (status >= 300 && status < 400) return;
  // Of a page that is left at once, or a file, there is nothing to read. A script that leaves does not read to the end.
  const script = request.resourceType() === "fetch";
  const left = script ? page.waitForEvent("framenavigated", { timeout: 0 }).then(() => "") : new Promise(() => {});
  const body = await Promise.race([response.text(), left]).catch(() => "");
  const cookies = (await context.cookies()).map((cookie) => cookie.value).filter((value) => value !== "");
  for (const secret of [...secrets, ...cookies]) {
    if (body.includes(secret)) wrong.push(`${url} contains the secret ${secret.slice(0, 6)}...`);
  }
}

const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

async function navigate(begin, status) {
  expected = status ?? 200;
  const [response] = await Promise.all([page.waitForNavigation({ timeout: PATIENCE }), begin()]);
  if (response && response.status() !== expected) wrong.push(`${response.url()}: ${response.status()}, not ${expected}`);
  return here();
}

const here = () => page.url().replace(origin, "");
const part = (within) => page.locator(within ?? "body");

const acts = {
  // Another browser, which knows nothing of what was before.
  async open({ width = 1280, scheme = "light" }) {
    await context?.close();
    context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
      ignoreHTTPSErrors: true,
      acceptDownloads: true,
    });
    context.setDefaultTimeout(PATIENCE);
    page = await context.newPage();
    page.on("console", (message) => {
      if (isGuest(page.url())) return;
      const refused = expected >= 400 && message.text().includes(`status of ${expected}`);
      const known = refused || (unplugged && message.text().includes("net::ERR_INTERNET_DISCONNECTED"));
      if (["error", "warning"].includes(message.type()) && !known) wrong.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => wrong.push(`script: ${error}`));
    page.on("dialog", (dialog) => {
      wrong.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("request", (request) => {
      const byGuest = isGuest(request.url()) || (isGuest(page.url()) && !request.isNavigationRequest());
      if (!byGuest && !request.url().startsWith(`${origin}/`)) wrong.push(`request to ${request.url()}`);
    });
    page.on("response", (response) => pending.push(inspect(response)));
  },
  goto: ({ path, status }) => navigate(() => page.goto(path.startsWith("/") ? origin + path : path), status),
  press: ({ button, within, status }) =>
    navigate(() => part(within).getByRole("button", { name: button, exact: true }).click(), status),
  follow: ({ link, within, status }) =>
    navigate(() => part(within).getByRole("link", { name: link, exact: true }).click(), status),
  follow_first: ({ link, within, status }) =>
    navigate(() => part(within).getByRole("link", { name: link, exact: true }).first().click(), status),
  back: ({ status }) => navigate(() => page.goBack(), status),
  reload: ({ status }) => navigate(() => page.reload(), status),
  fill: ({ label, text, within }) => part(within).getByLabel(label).fill(text),
  type: ({ selector, text }) => page.locator(selector).fill(text),
  check: ({ label, within }) => part(within).getByLabel(label, { exact: true }).check(),
  open_details: ({ within }) => part(within).locator("summary").first().click(),
  text: ({ within }) => part(within).innerText(),
  count: ({ selector }) => page.locator(selector).count(),
  attribute: ({ selector, name }) => page.locator(selector).first().getAttribute(name),
  here: async () => here(),
  shows: ({ within, text }) => page.locator(within).filter({ hasText: text }).first().waitFor(),
  // From the next page on, time stands still for scripts but for what `later` lets pass.
  stop_clock: () => page.clock.install(),
  later: ({ seconds }) => page.clock.fastForward(seconds * 1_000),
  says: ({ text }) => page.locator("#live").filter({ hasText: text }).waitFor(),
  blur: () => page.evaluate(() => document.activeElement.blur()),
  arrives: async ({ path }) => {
    await page.waitForURL(`${origin}${path}`);
  },
  async unplug({ out }) {
    unplugged = out;
    await context.setOffline(out);
  },
  cookies: () => context.cookies(),
  drop_cookies: () => context.clearCookies(),
  // The origins that the browser gave for its forms, since this was asked.
  async posts() {
    const taken = posts;
    posts = [];
    return taken;
  },
  async download({ link }) {
    expected = 200;
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: link, exact: true }).click(),
    ]);
    return { name: download.suggestedFilename(), text: fs.readFileSync(await download.path(), "utf8") };
  },
  // Fetches what every link leads to, and the links there, and gives the paths that were not answered well.
  async crawl({ most }) {
    const crawled = await page.evaluate(async (limit) => {
      const [seen, bad, todo] = [new Set(), [], [location.pathname]];
      while (todo.length > 0 && seen.size < limit) {
        const path = todo.shift();
        if (seen.has(path)) continue;
        seen.add(path);
        const answer = await fetch(path);
        const text = await answer.text();
        if (!answer.ok) bad.push(`${path}: ${answer.status}`);
        if (!answer.headers.get("content-type")?.startsWith("text/html")) continue;
        const found = new DOMParser().parseFromString(text, "text/html");
        for (const link of found.querySelectorAll("a[href]")) {
          const url = new URL(link.getAttribute("href"), location.origin + path);
          // Orders of one list show the same rows.
          if (url.origin !== location.origin) bad.push(`${path} leads to ${url}`);
          else if (!url.searchParams.has("sort")) todo.push(url.pathname + url.search);
        }
      }
      return { seen: [...seen], bad };
    }, most);
    // They are told of above.
    wrong = wrong.filter((what) => !/: [45]\d\d$|^console: Failed to load resource/.test(what));
    return crawled;
  },
  // What axe finds on this page, and how far it is too wide, closed and with everything open.
  async judge() {
    const found = [];
    const say = (what) => found.push(`${here()}: ${what}`);
    const closed = await page.evaluate(tooWide);
    if (closed > 0) say(`${closed} px too wide`);
    await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
    const open = await page.evaluate(tooWide);
    if (open > 0) say(`${open} px too wide with everything open`);
    // The debugger is not bound by the policy of the page.
    const debug = await context.newCDPSession(page);
    await debug.send("Runtime.evaluate", { expression: axe });
    const result = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values }, resultTypes: ["violations"] }), RULES);
    if (result.passes.length === 0) say("axe checked nothing");
    result.violations.forEach((it) => say(`${it.id}: ${it.nodes[0].html.slice(0, 200)}`));
    await debug.detach();
    return found;
  },
};

console.log(JSON.stringify({ value: await browser.version(), wrong: [] }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { act, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await acts[act](options)) ?? null };
  } catch (error) {
    answer = { error: `${act} at ${page?.url()}: ${error}` };
  }
  while (pending.length > 0) await Promise.all(pending.splice(0));
  console.log(JSON.stringify({ ...answer, wrong: wrong.splice(0) }));
}
await browser.close();
