"use strict";
// The page of relaybox up. It draws what the stream /live says, and posts acts to /act. Text goes in as
// text, never as HTML: keys and reasons are other people's.

const $ = (id) => document.getElementById(id);
const dash = "–";

// make is an element with a class, text and children.
function make(tag, className, text, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  e.append(...children);
  return e;
}

// write changes text only where it differs: nothing is read out twice, no selection is lost.
function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// keep makes the children of a parent follow a list. Elements stay with their item, and keep the focus.
function keep(parent, list, keyOf, create, update) {
  const old = new Map();
  for (const e of parent.children) old.set(e.dataset.key, e);
  let before = null;
  for (const item of list) {
    const key = keyOf(item);
    let e = old.get(key);
    old.delete(key);
    if (!e) {
      e = create(item);
      e.dataset.key = key;
    }
    update(e, item);
    const next = before ? before.nextElementSibling : parent.firstElementChild;
    if (e !== next) parent.insertBefore(e, next);
    before = e;
  }
  for (const e of old.values()) e.remove();
}

// Figures. What is not known is a dash.
const known = (v) => v !== null && v !== undefined;
const count = (n) => (known(n) ? n.toLocaleString("en") : dash);
const rate = (n) => (known(n) ? n.toFixed(n < 10 ? 1 : 0) : dash);
function span(ms) {
  if (!known(ms)) return dash;
  if (ms < 10 && !Number.isInteger(ms)) return ms.toFixed(1) + " ms";
  if (ms < 1000) return ms.toFixed(0) + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(1) + " s";
  if (ms < 3600000) return (ms / 60000).toFixed(0) + " min";
  return (ms / 3600000).toFixed(0) + " h";
}
const least = (n, more) => count(n) + (more ? "+" : ""); // of a count that was cut off
const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;
const clock = (text) => new Date(text).toLocaleTimeString("en-GB");

// The picture, once broad and once tall.
const nodes = ["Request", "Store", "Dispatcher", "Broker", "Consumer", "View"];
const labels = ["written a second", "events pending", "sent a second", "in the subscription", "consumed a second", "write to effect, p50"];

function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

function draw(tall) {
  const wide = tall ? 320 : 137, high = tall ? 58 : 104, gap = tall ? 18 : 27;
  const root = svg("svg", { class: tall ? "tall" : "broad", viewBox: tall ? `0 0 322 ${6 * high + 5 * gap + 2}` : `0 0 ${6 * wide + 5 * gap + 2} ${high + 2}`, role: "group", "aria-label": "Pipeline from the request to the view" });
  nodes.forEach((name, i) => {
    const x = 1 + (tall ? 0 : i * (wide + gap)), y = 1 + (tall ? i * (high + gap) : 0);
    const text = (part, left, top, anchor) => svg("text", { class: part, x: x + left, y: y + top, "text-anchor": anchor, "data-part": part });
    const parts = tall
      ? [text("title", 12, 23, "start"), text("note", 12, 43, "start"), text("value", 308, 27, "end"), text("label", 308, 45, "end")]
      : [text("title", 12, 21, "start"), text("value", 12, 51, "start"), text("label", 12, 70, "start"), text("note", 12, 91, "start")];
    const node = svg("g", { class: "node", "data-node": i, role: "group" }, svg("rect", { x, y, width: wide, height: high, rx: 8 }), ...parts);
    node.querySelector(".title").textContent = name;
    node.querySelector(".label").textContent = labels[i];
    root.append(node);
    if (i < nodes.length - 1) {
      const path = tall ? `M ${x + 160} ${y + high + 3} v ${gap - 7} m -4 -4 l 4 4 l 4 -4` : `M ${x + wide + 3} ${y + high / 2} h ${gap - 7} m -4 -4 l 4 4 l -4 4`;
      root.append(svg("path", { class: "arrow", d: path, "data-arrow": i }));
    }
  });
  return root;
}
$("picture").append(draw(false), draw(true));

function flow(s) {
  const on = new Set(s.faults.filter((f) => f.on).map((f) => f.name));
  const o = s.outbox, b = s.broker, effect = s.flow.toEffect, sent = s.flow.toBroker;
  const paused = s.pauses.length > 0 ? (s.pauses.some((p) => p.scope === "all") ? "paused" : `${s.pauses.length} paused`) : "";
  const storeFault = on.has("cut-store") ? "cut off" : "", brokerFault = on.has("cut-broker") ? "cut off" : "";
  const storeNote = !o ? dash : o.parked > 0 ? `${least(o.parked, o.moreParked)} parked` : o.pending > 0 ? `oldest ${span(o.oldestSeconds * 1000)}` : "nothing waits";
  const figures = [
    [rate(s.flow.written), "over 10 s", ""],
    [o ? least(o.pending, o.morePending) : dash, storeFault || storeNote, storeFault ? "bad" : o && o.parked > 0 ? "warn" : ""],
    [rate(s.flow.sent), paused || (sent ? `p50 ${span(sent.p50)} to broker` : dash), paused ? "warn" : ""],
    [b ? count(b.waiting) : dash, brokerFault || (!b ? dash : b.deadLetters ? many(b.deadLetters, "dead letter") : "no dead letter"), brokerFault ? "bad" : b && b.deadLetters > 0 ? "warn" : ""],
    [rate(s.flow.consumed), !known(s.earlyKeys) ? dash : s.earlyKeys ? `${many(s.earlyKeys, "key")} wait` : "no key waits", s.earlyKeys > 0 ? "warn" : ""],
    [effect ? span(effect.p50) : dash, effect ? `p99 ${span(effect.p99)}, of ${count(effect.n)}` : "none in a minute", ""],
  ];
  figures.forEach(([value, note, state], i) => {
    for (const e of document.querySelectorAll(`[data-node="${i}"]`)) {
      e.setAttribute("class", `node ${state}`);
      write(e.querySelector(".value"), value);
      write(e.querySelector(".note"), note);
    }
  });
  [storeFault, storeFault, brokerFault, brokerFault, storeFault].forEach((cut, i) => {
    for (const e of document.querySelectorAll(`[data-arrow="${i}"]`)) e.setAttribute("class", cut ? "arrow cut" : "arrow");
  });
}

// The backlog over the last two minutes; where it is not known there is no point.
const history = [];
function backlog(s) {
  const now = Date.parse(s.at);
  if (s.outbox) history.push([now, s.outbox.pending]);
  while (history.length && history[0][0] < now - 120000) history.shift();
  const most = Math.max(0, ...history.map((h) => h[1]));
  write($("peak"), history.length ? count(most) : dash);
  const points = history.map(([at, n]) => `${(240 - (now - at) / 500).toFixed(1)},${(38 - (36 * n) / Math.max(1, most)).toFixed(1)}`);
  $("backlog").firstElementChild.setAttribute("points", points.join(" "));
}

const faultTexts = {
  "cut-store": "Store is cut off",
  "store-throttles": "Store throttles three requests of ten",
  "store-slow": "Store answers 200 ms late",
  "store-mute": "Store does it, and one answer of five is lost",
  "cut-broker": "Broker is cut off",
  "broker-busy": "Broker is too busy to take events",
  "broker-mute": "Broker takes it, and one answer of five is lost",
  "broker-refuses": "Broker refuses some keys",
  "locks-lost": "Consumer loses one lock of five",
};

const textOf = (f) => faultTexts[f.name] || f.name;

function switches(s) {
  keep($("faults"), s.faults, (f) => f.name, (f) => {
    const box = make("input");
    box.type = "checkbox";
    box.id = "fault-" + f.name;
    box.setAttribute("role", "switch");
    box.addEventListener("change", () => {
      box.dataset.asked = Date.now();
      const on = box.checked, keys = f.name === "broker-refuses" ? $("pattern").value : undefined;
      act({ verb: "fault", fault: f.name, on, keys }, () => (box.checked = !on), `Switched ${on ? "on" : "off"}: ${textOf(f)}`);
    });
    const label = make("label", "", textOf(f));
    label.htmlFor = box.id;
    return make("li", "", undefined, box, label, make("span", "count"));
  }, (e, f) => {
    const box = e.firstElementChild;
    // A snapshot from before the click would turn it back for a moment.
    if (Date.parse(s.at) > Number(box.dataset.asked || 0)) box.checked = f.on;
    write(e.lastElementChild, f.on && f.keys ? `${f.keys}, ${count(f.fired)} times` : f.on && known(f.fired) ? `${count(f.fired)} times` : "");
  });
  write($("others"), s.otherFaults ? `and ${many(s.otherFaults, "fault")} that somebody else has injected` : "");
}

// line is an item of a list with buttons.
function line(buttons) {
  const what = make("span", "what", undefined, make("span"), make("small"));
  return make("li", "", undefined, what, ...buttons.map(([text, className, does]) => {
    const b = make("button", className, text);
    b.type = "button";
    b.addEventListener("click", does);
    return b;
  }));
}

function describe(e, first, second) {
  write(e.querySelector(".what > span"), first);
  write(e.querySelector("small"), second);
}

const nameOf = (e) => `${e.key}/${e.seq}`;
let listed = []; // names of the parked events that somebody sees

function parked(s) {
  listed = s.parked.map(nameOf);
  keep($("parked"), s.parked, nameOf, (p) => line([
    ["Redrive", "", () => act({ verb: "redrive", names: [nameOf(p)] })],
    ["Skip", "danger", () => skip([nameOf(p)])],
  ]), (e, p) => {
    const due = p.passed ? "its key went on without it" : p.due ? `tried again at ${clock(p.due)}` : "";
    describe(e, `${nameOf(p)}  ${p.type}`, [p.reason, `refused ${p.attempts === 1 ? "once" : p.attempts + " times"}`, due].filter(Boolean).join(" · "));
    e.querySelectorAll("button").forEach((b) => b.setAttribute("aria-label", `${b.textContent} ${nameOf(p)}`));
    e.querySelector("button").disabled = p.passed;
  });
  const o = s.outbox;
  write($("no-parked"), !o ? dash : o.parked + o.passed === 0 ? "Nothing is parked." : `${least(o.parked, o.moreParked)} parked, of ${many(o.blockedKeys, "key")}` + (o.passed ? `; ${count(o.passed)} whose keys went on` : "") + (o.parked + o.passed > listed.length ? `; ${listed.length} are listed` : ""));
  $("redrive-all").disabled = !o || (o.parked === 0 && !o.moreParked);
  $("skip-all").disabled = listed.length === 0;
}

function letters(s) {
  keep($("letters"), s.letters, (l) => String(l.number), (l) => line([["Redrive", "", () => act({ verb: "redrive-letters", names: [String(l.number)] })]]), (e, l) => {
    describe(e, l.seq ? nameOf(l) : l.key || `number ${l.number}`, l.reason || "no reason is given");
    e.querySelector("button").setAttribute("aria-label", `Redrive dead letter ${l.number}`);
  });
  const n = s.broker ? s.broker.deadLetters : null;
  write($("no-letters"), n === null ? dash : n === 0 ? "There are none." : n > s.letters.length ? `${count(n)}, of which ${s.letters.length} are listed` : many(n, "dead letter"));
  $("redrive-letters").disabled = !n;
}

function pauses(s) {
  keep($("pauses"), s.pauses, (p) => p.scope + " " + p.name, (p) => line([["Resume", "", () => act({ verb: "resume", scope: p.scope, name: p.name })]]), (e, p) => {
    const what = p.scope === "all" ? "everything" : p.scope === "kind" ? "kind " + p.name : p.name;
    describe(e, what, `since ${clock(p.at)} by ${p.author}` + (p.reason ? `: ${p.reason}` : ""));
    e.querySelector("button").setAttribute("aria-label", `Resume ${what}`);
  });
  const unknown = s.unknown.some((u) => u.startsWith("the pauses"));
  write($("no-pauses"), unknown ? dash : s.pauses.length ? "" : "Nothing is paused.");
}

const states = { parked: "warn", skipped: "warn", "dead letter": "bad" };
function events(s) {
  keep($("events"), s.events, (w) => w.id + " " + w.key, () => {
    const row = make("tr");
    ["", "", "", "written", "to broker", "to effect", "trace"].forEach((of) => {
      const cell = make("td");
      if (of) cell.dataset.of = of;
      row.append(cell);
    });
    return row;
  }, (e, w) => {
    e.className = states[w.state] || "";
    const after = (t) => (t ? span(Math.max(0, Date.parse(t) - Date.parse(w.written))) : dash);
    [nameOf(w), w.type, w.state, clock(w.written), after(w.sent), after(w.consumed), w.trace || dash].forEach((text, i) => write(e.children[i], text));
  });
  write($("no-events"), s.events.length ? "" : $("q").value ? "None of the last events fits." : "None yet.");
}

function health(s) {
  const wrong = [];
  if (s.outbox && s.outbox.parked > 0) wrong.push(`${least(s.outbox.parked, s.outbox.moreParked)} parked`);
  if (s.broker && s.broker.deadLetters > 0) wrong.push(many(s.broker.deadLetters, "dead letter"));
  if (s.outbox && s.outbox.oldestSeconds > 300) wrong.push("the oldest event waits for " + span(s.outbox.oldestSeconds * 1000));
  const faults = s.faults.filter((f) => f.on).length + s.otherFaults;
  if (faults > 0) wrong.push(many(faults, "fault") + " switched on");
  if (s.pauses.length > 0) wrong.push(many(s.pauses.length, "pause"));
  if (s.unknown.length > 0) wrong.push("not everything can be looked at");
  $("health").className = "health " + (wrong.length ? "bad" : "good");
  write($("health"), wrong.length ? wrong.join(", ") : "all is well");
  write($("when"), clock(s.at));
  keep($("unknown"), s.unknown, (u) => u, (u) => make("li", "", "cannot be looked at: " + u), () => {});
}

// The stream. The browser connects again by itself.
let stream;
function listen() {
  if (stream) stream.close();
  stream = new EventSource("live?q=" + encodeURIComponent($("q").value));
  stream.onmessage = (m) => {
    const s = JSON.parse(m.data);
    for (const part of [health, flow, backlog, switches, parked, letters, pauses, events]) part(s);
  };
  stream.onerror = () => {
    $("health").className = "health bad";
    write($("health"), "relaybox up does not answer");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || listen(), 2000);
  };
}
listen();
// Nobody looks at a page that cannot be seen.
document.addEventListener("visibilitychange", () => (document.hidden ? stream.close() : listen()));

let typed;
$("q").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(listen, 250);
});
$("search").addEventListener("submit", (e) => {
  e.preventDefault();
  listen();
});

let silence;
function say(text, bad) {
  $("said").className = bad ? "bad" : "";
  $("said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => ($("said").textContent = ""), bad ? 15000 : 6000);
}

// act has something done, and says what came of it: text, or what the program says.
async function act(what, undo, text) {
  try {
    const answer = await fetch("act", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
    const type = answer.headers.get("Content-Type") || "";
    const said = type.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
    if (!answer.ok) throw new Error(said.error);
    say(text || said.said);
  } catch (fault) {
    if (undo) undo();
    say(fault.message, true);
  }
}

// skip asks first: it cannot be undone.
let agreed;
function skip(names) {
  agreed = names;
  write($("question"), `Skip ${names.length === 1 ? names[0] : many(names.length, "event")} for good? A marker goes out in the place of each. The event itself is never sent.`);
  $("confirm").showModal();
}
$("yes").addEventListener("click", () => {
  $("confirm").close();
  act({ verb: "skip", names: agreed });
});
$("no").addEventListener("click", () => $("confirm").close());

$("redrive-all").addEventListener("click", () => act({ verb: "redrive", all: true }));
$("skip-all").addEventListener("click", () => skip(listed));
$("redrive-letters").addEventListener("click", () => act({ verb: "redrive-letters", all: true }));
$("heal").addEventListener("click", () => act({ verb: "clear-faults" }));
$("scope").addEventListener("change", () => {
  $("name").disabled = $("scope").value === "all";
  if ($("name").disabled) $("name").value = "";
});
$("pause").addEventListener("submit", (e) => {
  e.preventDefault();
  act({ verb: "pause", scope: $("scope").value, name: $("name").value });
});
