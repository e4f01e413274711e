// Clicks through an outage on the page of relaybox up, as a person does. PAGE and HOST are the URLs of the page and of
// the Functions host, CHROMIUM the browser, NODE_MODULES has playwright-core, SHOTS is where screenshots go.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { PAGE, HOST, CHROMIUM, NODE_MODULES, SHOTS } = process.env;
const { chromium } = createRequire(join(NODE_MODULES, "/"))("playwright-core");

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ viewport: { width: 1180, height: 900 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(20000);
const complaints = [];
page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
page.on("pageerror", (e) => complaints.push(String(e)));
page.on("request", (r) => r.url().startsWith(PAGE) || r.url().startsWith("data:") || complaints.push(`asks ${r.url()}`));

let step = "";
function begin(name) {
  step = name;
  console.log("step:", name);
}

// put writes a profile: an event.
async function put(id, bio) {
  const answer = await fetch(`${HOST}/api/profiles/${id}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ displayName: id, email: `${id}@example.com`, bio }),
  });
  assert.ok(answer.ok, `PUT ${id}: ${answer.status}`);
}
const writes = (n, name) => Promise.all(Array.from({ length: n }, (_, i) => put(`${name}-${i}`, "first")));

const node = (i, part) => page.locator(`.broad [data-node="${i}"] .${part}`);
const figure = async (i) => Number((await node(i, "value").textContent()).replaceAll(",", ""));
const switchOf = (name) => page.locator(`#fault-${name}`);
const parked = (name) => page.locator("#parked li", { hasText: name });

async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await ask()) return;
    assert.ok(Date.now() < end, `${what}: not within ${seconds} s`);
    await page.waitForTimeout(100);
  }
}

// tab goes to an element as somebody does who has no mouse.
async function tab(selector) {
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
  }
  assert.fail(`Tab does not come to ${selector}`);
}

// shot takes a picture of the page, down to what a reader wants to see of it.
async function shot(name, height) {
  const { width } = page.viewportSize();
  await page.screenshot({ path: join(SHOTS, name), fullPage: true, ...(height && { clip: { x: 0, y: 0, width, height } }) });
}

try {
  begin("nothing is the matter");
  await page.goto(PAGE);
  await page.getByText("all is well").waitFor();
  assert.equal(await node(5, "value").textContent(), "–", "nothing has arrived, so nobody knows how long it takes");

  begin("events go through");
  await writes(20, "calm");
  await page.locator("#events tr", { hasText: "profile:calm-7/1" }).getByText("consumed", { exact: true }).waitFor();
  await until("the time from write to effect is known", async () => (await node(5, "value").textContent()) !== "–");

  begin("the broker is cut off, and the backlog grows");
  await switchOf("cut-broker").click();
  await node(3, "note").getByText("cut off").waitFor();
  await writes(40, "storm");
  await until("the backlog has grown", async () => (await figure(1)) >= 40);
  await page.locator("#events tr", { hasText: "profile:storm-3/1" }).getByText("pending", { exact: true }).waitFor();
  await shot("outage.png");

  begin("it heals, and drains");
  await switchOf("cut-broker").click();
  await until("the backlog has drained", async () => (await figure(1)) === 0);
  await page.locator("#events tr", { hasText: "profile:storm-3/1" }).getByText("consumed", { exact: true }).waitFor();

  begin("with the keyboard alone: the broker refuses some keys");
  await page.locator("#pattern").fill("profile:bad-*");
  await page.evaluate(() => document.activeElement.blur());
  await tab("#fault-broker-refuses");
  await page.keyboard.press("Space");
  await page.getByText("Switched on: Broker refuses some keys").waitFor();
  await put("bad-1", "first");
  await put("bad-1", "second");
  await put("bad-2", "first");
  let well = 0;
  await until("both are parked", async () => {
    await put(`well-${well++}`, "first"); // a broker that refuses everything is taken for one that is away
    return (await parked("profile:bad-1/1").count()) + (await parked("profile:bad-2/1").count()) === 2;
  });
  await page.locator("#events tr", { hasText: `profile:well-${well - 1}/1` }).getByText("consumed", { exact: true }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await until("nobody is told of the switch any more", async () => (await page.locator("#said").textContent()) === "");
  await shot("page.png", 1240);
  await page.emulateMedia({ colorScheme: "dark" });
  await shot("dark.png", 1240);
  await page.emulateMedia({ colorScheme: "light" });

  begin("with the keyboard alone: the cause is mended, and one is redriven");
  await tab("#fault-broker-refuses");
  await page.keyboard.press("Space");
  await page.getByText("Switched off: Broker refuses some keys").waitFor();
  await tab('#parked button[aria-label="Redrive profile:bad-1/1"]');
  await page.keyboard.press("Enter");
  await page.getByText("1 redriven").waitFor();
  await parked("profile:bad-1/1").waitFor({ state: "detached" });
  await page.locator("#events tr", { hasText: "profile:bad-1/2" }).getByText("consumed", { exact: true }).waitFor();

  // What is parked is tried again after a minute: another one is parked anew for the question.
  await page.locator("#pattern").fill("profile:worse-*");
  await switchOf("broker-refuses").click();
  await put("worse-2", "first");
  await until("it is parked", async () => {
    await put(`well-${well++}`, "first");
    return (await parked("profile:worse-2/1").count()) === 1;
  });
  await switchOf("broker-refuses").click();
  await page.getByText("Switched off: Broker refuses some keys").waitFor();

  begin("one is skipped, after a question");
  await parked("profile:worse-2/1").getByRole("button", { name: "Skip" }).click();
  await page.locator("#confirm").getByText("profile:worse-2/1").waitFor();
  await page.keyboard.press("Escape");
  for (let looks = 0; looks < 2; looks++) {
    const when = await page.locator("#when").textContent();
    await until("there is another look", async () => (await page.locator("#when").textContent()) !== when);
  }
  assert.equal(await parked("profile:worse-2/1").count(), 1, "who says no has skipped nothing");
  await parked("profile:worse-2/1").getByRole("button", { name: "Skip" }).click();
  await page.locator("#yes").click();
  await page.getByText("1 skipped").waitFor();
  await parked("profile:worse-2/1").waitFor({ state: "detached" });

  begin("everything is paused, and goes on");
  await page.locator("#pause button").click();
  await page.locator("#pauses li", { hasText: "everything" }).waitFor();
  let held = 0;
  await until("some wait", async () => {
    await put(`paused-${held++}`, "first"); // an instance knows of the pause within seconds
    return (await figure(1)) > 0;
  });
  await page.getByRole("button", { name: "Resume everything" }).click();
  await until("none waits", async () => (await figure(1)) === 0);

  begin("an event is found by its trace id");
  await page.locator("#q").fill("profile:storm-3");
  const trace = await page.locator("#events tr", { hasText: "profile:storm-3/1" }).locator("td").last().textContent();
  assert.match(trace, /^[0-9a-f]{32}$/);
  await page.locator("#q").fill(trace);
  await until("it alone is listed", async () => (await page.locator("#events tr").count()) === 1);
  await page.locator("#q").fill("");
  await until("all are listed", async () => (await page.locator("#events tr").count()) > 1);

  begin("on a phone");
  await page.setViewportSize({ width: 360, height: 740 });
  await page.locator(".tall").waitFor();
  await switchOf("broker-busy").click();
  await page.locator('.tall [data-node="1"]').waitFor();
  await writes(3, "phone");
  await until("three wait", async () => (await page.locator('.tall [data-node="1"] .value').textContent()) === "3");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, "nothing is wider than the phone");
  await until("nobody is told of the switch any more", async () => (await page.locator("#said").textContent()) === "");
  await shot("phone.png", 2400);
  await page.getByRole("button", { name: "Mend everything" }).click();
  await until("none waits", async () => (await page.locator('.tall [data-node="1"] .value').textContent()) === "0");

  assert.deepEqual(complaints, [], "the browser has nothing to complain about");
  console.log("all steps passed");
} catch (fault) {
  await shot("failed.png").catch(() => {});
  console.error(`in step "${step}": ${fault.stack}`, complaints);
  process.exitCode = 1;
} finally {
  await browser.close();
}
