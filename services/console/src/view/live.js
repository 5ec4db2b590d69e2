// Keeps the live regions of a page up to date, and makes ways shorter by keys. Every page works without it.
const one = (selector, within = document) => within.querySelector(selector);
const bar = one("[data-live-bar]");
const said = one("[data-live-said]");
let source, retry, silence, paused, changed, before;
let tries = 0;
let beforeAt = 0;
let since = bar?.dataset.at;

/** A row is the same while it leads to the same. */
const keyOf = (node) =>
  node.id || (node.tagName === "TR" ? one("a", node)?.href : undefined) || undefined;

/** Makes `old` like `made`; elements that stay keep focus, caret, scroll and what was opened. */
function morph(old, made) {
  for (const { name, value } of made.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of Array.from(old.attributes))
    if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
  const kept = new Map([...old.children].map((child) => [keyOf(child), child]));
  const wanted = new Set([...made.children].map(keyOf));
  wanted.delete(undefined);
  let at = old.firstChild;
  const drop = () => {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  };
  for (const child of Array.from(made.childNodes)) {
    const key = keyOf(child);
    const match = key ? kept.get(key) : at && !keyOf(at) && at;
    kept.delete(key);
    if (match?.nodeName !== child.nodeName) {
      old.insertBefore(child, at);
      continue;
    }
    if (key) while (at !== match && !wanted.has(keyOf(at))) drop();
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    if (match.nodeType === 1) morph(match, child);
    else if (match.data !== child.data) match.data = child.data;
  }
  while (at) drop();
}

function show(text) {
  const focused = document.activeElement;
  for (const made of new DOMParser().parseFromString(text, "text/html").body.children) {
    const old = document.getElementById(made.id);
    if (old) morph(old, made);
  }
  if (focused.isConnected) focused.focus({ preventScroll: true });
  changed = true;
}

function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

function close() {
  source?.close();
  source = undefined;
  clearTimeout(retry);
  clearTimeout(silence);
}

function lost() {
  close();
  say("Not connected. Trying again …");
  retry = setTimeout(open, Math.min(60000, 500 * 2 ** tries++) * (0.5 + Math.random()));
}

function open() {
  close();
  const on = [...document.querySelectorAll("[data-live]")].map(({ dataset }) => dataset.live);
  if (paused || document.hidden || !on.join("")) return;
  const world = document.documentElement.dataset.look;
  const page = location.pathname + location.search;
  const asked = new URLSearchParams({ page, world, on: on.join(" "), since });
  source = new EventSource(`/console/live?${asked}`);
  const heard = ({ type, data, lastEventId }) => {
    clearTimeout(silence);
    silence = setTimeout(lost, 40000);
    if (type === "open") return say("Live");
    tries = 0;
    since = lastEventId || since;
    if (type === "show") show(data);
  };
  for (const type of ["open", "beat", "show"]) source.addEventListener(type, heard);
  source.addEventListener("end", ({ data }) => {
    close();
    say(data);
  });
  source.onerror = lost;
}

if (bar) {
  bar.hidden = false;
  one("button", bar).onclick = ({ target }) => {
    paused = !paused;
    target.textContent = paused ? "Go on" : "Pause";
    say(paused ? "Paused" : "");
    open();
  };
  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  // Whoever listens is told that something changed, and not each time.
  setInterval(() => {
    if (changed && source) say(`Live. Changed ${new Date().toLocaleTimeString()}.`);
    changed = false;
  }, 5000);
}

const off = () => localStorage.keys === "off";
const keys = one("[data-keys]");
if (keys) {
  keys.parentNode.hidden = false;
  keys.checked = !off();
  keys.onchange = () => (localStorage.keys = keys.checked ? "on" : "off");
}

addEventListener("keydown", (event) => {
  const { key, target, ctrlKey, metaKey, altKey, timeStamp } = event;
  if (ctrlKey || metaKey || altKey || off() || target.closest("input,textarea,select")) return;
  const search = one("main [type=search]");
  if (before === "g" && timeStamp < beforeAt + 2000)
    one(`.margin [data-go="${CSS.escape(key)}"]`)?.click();
  else if (key === "?") location = "/console/shortcuts";
  else if (key === "/") {
    event.preventDefault();
    if (search) search.select();
    else location = "/console/messages";
  }
  before = key;
  beforeAt = timeStamp;
});
