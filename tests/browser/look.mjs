// Headless Chromium as a servant: each line on stdin names a page and a script, each line on stdout
// tells what came back, what the console said, and what was asked for outside the page.
// Pages are opened from file:// without a network, each in a profile of its own.
// Usage: node look.mjs MODULES CHROMIUM
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/x.js`)("playwright-core");
const AsyncFunction = (async () => {}).constructor;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function visit({ page, script, size, scheme }) {
  const [width, height] = size.split("x").map(Number);
  const viewport = { width, height };
  const context = await browser.newContext({ viewport, colorScheme: scheme, offline: true });
  const tab = await context.newPage();
  const said = [];
  const outside = [];
  const address = pathToFileURL(page).href;
  tab.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  tab.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
  tab.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("blob:")) outside.push(url.slice(0, 200));
  });
  const saved = async (press) => {
    const [download] = await Promise.all([tab.waitForEvent("download"), press()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  try {
    await tab.goto(address);
    // Not waitForFunction, which evaluates texts, and that the page does not allow.
    for (let k = 0; k < 200 && !(await tab.evaluate(() => Boolean(window.mocap))); k++) {
      await tab.waitForTimeout(50);
    }
    const value = await new AsyncFunction("tab", "saved", script)(tab, saved);
    return { value: value ?? null, said, outside };
  } finally {
    await context.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await visit(JSON.parse(line)).catch((error) => ({ failed: error.stack }));
  console.log(JSON.stringify(answer));
}
await browser.close();
