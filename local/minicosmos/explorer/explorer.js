"use strict";
const at = (id) => document.getElementById(id);
let place, next, asked, turn = 0;

async function ask(path, params) {
  const answer = await fetch(path + "?" + new URLSearchParams(params));
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function say(text, bad) {
  at("said").textContent = text;
  at("said").className = bad ? "bad" : "quiet";
}

async function look() {
  try {
    const places = await ask("containers", {});
    at("none").hidden = places.length > 0;
    at("containers").replaceChildren(...places.map((p) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = p.database + " / " + p.container;
      if (place && place.database === p.database && place.container === p.container) button.setAttribute("aria-current", "true");
      button.onclick = () => choose(p, button);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  } catch (err) {
    at("box").hidden = false;
    say("The server does not answer: " + err.message, true);
  }
}

function choose(p, button) {
  place = p;
  for (const other of at("containers").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  at("box").hidden = false;
  at("place").textContent = p.database + " / " + p.container;
  at("definition").textContent = JSON.stringify(p.definition, null, 2);
  run();
}

function run() {
  asked = { database: place.database, container: place.container, query: at("query").value };
  next = "";
  at("rows").replaceChildren();
  page();
}

async function page() {
  const mine = ++turn, began = performance.now();
  at("more").hidden = true;
  say("asking …");
  try {
    const got = await ask("query", { ...asked, from: next });
    if (mine !== turn) return;
    for (const row of got.rows) {
      const text = document.createElement("pre");
      text.textContent = row;
      const item = document.createElement("li");
      item.append(text);
      at("rows").append(item);
    }
    next = got.next || "";
    at("more").hidden = !next;
    say(`${at("rows").children.length} shown${next ? ", there is more" : ""}; ${got.looked} documents looked at, ${got.requestUnits.toFixed(1)} RU, ${Math.round(performance.now() - began)} ms`);
  } catch (err) {
    if (mine === turn) say(err.message, true);
  }
}

at("form").onsubmit = (e) => { e.preventDefault(); run(); };
at("query").onkeydown = (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); run(); } };
at("more").onclick = page;
at("again").onclick = look;
look();
