// Looks at every view of the page in Chromium: nothing scrolls sideways, the console stays empty, and axe finds nothing.
//
// Arguments: folder with node_modules, folder with the views as HTML files (`cargo test -p keysweep --lib written_for_a_browser`
// writes them to target/tmp/page), and optionally a regular expression for the names of views and a folder for pictures.
// The environment variable CHROMIUM names the browser, /usr/bin/chromium by default. Exits with 1 if anything is wrong.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [folder, views, pattern = ".", pictures] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// With the headers that keysweep sends: what they forbid shows in the console.
const policy = fs.readFileSync(path.join(views, "policy.txt"), "utf8");
const server = http.createServer((request, response) => {
  const name = path.basename(new URL(request.url, "http://localhost").pathname);
  const file = path.join(views, name === "page.js" ? name : `${name}.html`);
  if (!fs.existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("content-type", name === "page.js" ? "text/javascript" : "text/html; charset=utf-8");
  response.setHeader("content-security-policy", policy);
  response.setHeader("x-content-type-options", "nosniff");
  response.end(fs.readFileSync(file));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}`;

const named = new RegExp(pattern);
const files = fs.readdirSync(views).filter((file) => file.endsWith(".html"));
const names = files.map((file) => file.slice(0, -".html".length)).filter((name) => named.test(name));
const wrong = [];
const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    const console_ = [];
    page.on("console", (message) => console_.push(message.text()));
    page.on("pageerror", (error) => console_.push(String(error)));
    for (const name of names) {
      const say = (what) => wrong.push(`${name}, ${width} px, ${colorScheme}: ${what}`);
      console_.length = 0;
      await page.goto(`${base}/${name}`);
      if (pictures) {
        fs.mkdirSync(pictures, { recursive: true });
        const file = path.join(pictures, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
      }
      const closed = await page.evaluate(tooWide);
      if (closed > 0) say(`${closed} px too wide`);
      await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
      const open = await page.evaluate(tooWide);
      if (open > 0) say(`${open} px too wide with everything open`);
      console_.forEach((message) => say(`console: ${message}`));
      // The debugger is not bound by the policy of the page.
      const debug = await context.newCDPSession(page);
      await debug.send("Runtime.evaluate", { expression: axe });
      const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), RULES);
      if (found.passes.length === 0) say("axe checked nothing");
      found.violations.forEach((it) => say(`${it.id}: ${it.nodes[0].html.slice(0, 200)}`));
      await debug.detach();
    }
    await context.close();
  }
}
await browser.close();
server.close();

wrong.forEach((line) => console.log(line));
console.log(`${names.length} views, ${wrong.length} wrong`);
process.exitCode = names.length === 0 || wrong.length > 0 ? 1 : 0;
