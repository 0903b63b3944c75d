// Opens a page in headless Chromium from file:// without a network, does what it is told, and
// prints what came back, what the console said, and what was asked for outside the page.
// Usage: node look.mjs MODULES CHROMIUM PAGE WIDTHxHEIGHT SCHEME, the script on stdin.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, executablePath, page, size, colorScheme] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/x.js`)("playwright-core");
const script = readFileSync(0, "utf8");
const [width, height] = size.split("x").map(Number);

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });
const context = await browser.newContext({ viewport: { width, height }, colorScheme, offline: true, acceptDownloads: true });
const tab = await context.newPage();
const said = [];
const asked = [];
tab.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
tab.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
tab.on("request", (request) => asked.push(request.url().slice(0, 120)));
const address = pathToFileURL(page).href;
await tab.goto(address);
const AsyncFunction = (async () => {}).constructor;
const saved = async (press) => {
  const [download] = await Promise.all([tab.waitForEvent("download"), press()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
};
try {
  const value = await new AsyncFunction("tab", "saved", script)(tab, saved);
  const outside = asked.filter((url) => url !== address && !url.startsWith("blob:"));
  console.log(JSON.stringify({ value: value ?? null, said, outside }));
} finally {
  await browser.close();
}
