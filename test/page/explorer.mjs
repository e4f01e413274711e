// Looks around in a store, as a person does. EXPLORER is the URL of the page, CHROMIUM the browser, NODE_MODULES has
// playwright-core, SHOTS is where the screenshot goes. The store has container "things" with 150 documents.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { EXPLORER, CHROMIUM, NODE_MODULES, SHOTS } = process.env;
const { chromium } = createRequire(join(NODE_MODULES, "/"))("playwright-core");

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await (await browser.newContext({ viewport: { width: 1000, height: 700 } })).newPage();
page.setDefaultTimeout(20000);
const complaints = [];
page.on("pageerror", (e) => complaints.push(String(e)));
page.on("request", (r) => r.url().startsWith(EXPLORER) || r.url().startsWith("data:") || complaints.push(`asks ${r.url()}`));

await page.goto(EXPLORER);
await page.getByRole("button", { name: "db / things" }).click();
await page.locator("#rows li").nth(99).waitFor();
assert.match(await page.locator("#said").textContent(), /^100 shown, there is more; .* RU/);
await page.getByRole("button", { name: "More" }).click();
await page.locator("#rows li").nth(149).waitFor();
await page.screenshot({ path: join(SHOTS, "explorer.png") });

await page.getByLabel("Query").fill("SELECT VALUE COUNT(1) FROM c");
await page.keyboard.press("Control+Enter");
await page.locator("#rows li", { hasText: /^150$/ }).waitFor();
assert.equal(await page.locator("#rows li").count(), 1);

await page.getByLabel("Query").fill("SELECT c.id FROM c WHERE");
await page.getByRole("button", { name: "Run" }).click();
await page.locator("#said.bad").waitFor();
assert.match(await page.locator("#said").textContent(), /Syntax error/);

await page.getByLabel("Query").fill(`SELECT * FROM c WHERE c.id = "html"`);
await page.getByRole("button", { name: "Run" }).click();
await page.locator("#rows li", { hasText: "<img src=x>" }).waitFor();
assert.equal(await page.locator("#rows img").count(), 0, "what a document says is text");

await page.setViewportSize({ width: 360, height: 640 });
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling on a phone");
assert.deepEqual(complaints, []);
await browser.close();
