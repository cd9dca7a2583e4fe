// The page of the demo. It sends requests, shows their answers, and counts down the access token.
// The tokens themselves are in HttpOnly cookies: this script never sees them.

const byId = (id) => document.getElementById(id);

/** The token as the server last described it, and how far the server's clock is ahead of ours. */
let token = null;
let clockAhead = 0;
let ranOut = false;

const now = () => Date.now() / 1000 + clockAhead;

// Requests ---------------------------------------------------------------------------------------

/** Read one of the two CSRF cookies, the only ones that scripts may read. */
function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : null;
}

/** The header that proves that this page, not a stranger's, asks. */
function csrfHeader(kind) {
  const value = cookie(`csrf_${kind}_token`);
  return value ? { "X-CSRF-TOKEN": value } : {};
}

/** Send a request and return all there is to show about it. */
async function send(title, method, path, { headers = {}, body } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const entry = { title, method, path, sent, body: body && JSON.stringify(body), at: new Date() };
  try {
    const answer = await fetch(path, { method, headers: sent, body: entry.body });
    entry.status = answer.status;
    entry.reason = answer.statusText;
    entry.got = Object.fromEntries(answer.headers);
    entry.text = (await answer.text()).trim();
    entry.data = parsed(entry.text);
  } catch {
    entry.status = 0;
    entry.data = { msg: "No answer. Is the demo still running?" };
  }
  entry.ok = entry.status >= 200 && entry.status < 300;
  return entry;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

// Actions ----------------------------------------------------------------------------------------

const actions = {
  async login({ title, username, password }) {
    const entry = await send(title, "POST", "/api/session", { body: { username, password } });
    show(entry, "Both tokens came in cookies; their CSRF values in two more that this script can read.");
    if (entry.ok) {
      showNotes([]);
      await loadSession();
    }
  },

  async refresh() {
    const entry = await send("Refresh", "POST", "/api/session/refresh", { headers: csrfHeader("refresh") });
    show(entry, "Two new tokens. The access token is not fresh: no password was typed for it.");
    if (entry.ok) await loadSession();
  },

  async logout() {
    const entry = await send("Log out", "DELETE", "/api/session", { headers: csrfHeader("refresh") });
    show(entry, "The session is over, and the browser was told to delete all four cookies.");
    if (entry.ok) showSignedOut();
  },

  async devices() {
    const entry = await send("Look at your devices", "GET", "/api/devices");
    show(entry, "The sessions of whoever asks, and nobody else's.");
    if (entry.ok) showDevices(entry.data.devices);
  },

  async "end-device"({ id, label, current }) {
    const entry = await send(`End ${label}`, "DELETE", `/api/devices/${id}`, { headers: csrfHeader("access") });
    show(entry, "Its tokens are refused from now on, however long they would have lived.");
    if (!entry.ok) return;
    if (current) showSignedOut();
    else showDevices(entry.data.devices);
  },

  async "end-others"() {
    const entry = await send("End all others", "DELETE", "/api/devices", { headers: csrfHeader("access") });
    show(entry, "This session is the only one left.");
    if (entry.ok) showDevices(entry.data.devices);
  },

  async read() {
    const entry = await send("Read notes", "GET", "/api/notes");
    show(entry, "Reading changes nothing, so the cookie is enough.");
    if (entry.ok) showNotes(entry.data.notes);
  },

  "post-without": () => post("Write a note without its CSRF token", {}),

  "post-with": () => post("Write a note with its CSRF token", csrfHeader("access")),

  async remove() {
    const entry = await send("Delete notes", "DELETE", "/api/notes", { headers: csrfHeader("access") });
    show(entry, "The token is fresh: it was made from a password.");
    if (entry.ok) showNotes(entry.data.notes);
  },

  empty() {
    byId("entries").replaceChildren();
    byId("outcome").textContent = "";
    byId("log-empty").hidden = false;
  },
};

async function post(title, headers) {
  const entry = await send(title, "POST", "/api/notes", { headers, body: { text: byId("note").value } });
  show(entry, "The header repeats a value that only this site's pages can read.");
  if (entry.ok) showNotes(entry.data.notes);
}

/** Ask the server what the access token says, and which sessions there are. */
async function loadSession() {
  const entry = await loadToken();
  if (!entry.ok) return entry;
  const devices = await send("Look at your devices", "GET", "/api/devices");
  log(devices, "The sessions of whoever asks, and nobody else's.", { open: false });
  if (devices.ok) showDevices(devices.data.devices);
  return devices;
}

/** Ask the server what the access token says. */
async function loadToken() {
  const entry = await send("Ask what the token says", "GET", "/api/me");
  log(entry, "The token came in a cookie.", { open: false });
  if (entry.ok) {
    clockAhead = entry.data.now - Date.now() / 1000;
    showToken(entry.data);
  }
  return entry;
}

// Token ------------------------------------------------------------------------------------------

const MEANING = {
  sub: "Whom it is about",
  name: "Added by this demo",
  type: "Access or refresh",
  fresh: "Made from a password?",
  iat: "Issued",
  nbf: "Not valid before",
  exp: "Expires",
  sid: "Its session",
  jti: "Its own number",
  csrf: "Sent as X-CSRF-TOKEN",
};
const TIMES = ["iat", "nbf", "exp"];
const DATE = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function showToken(answer) {
  token = answer;
  ranOut = false;
  for (const id of ["token", "claims"]) byId(id).hidden = !token;
  byId("no-token").hidden = Boolean(token);
  if (token) {
    byId("caption").textContent = `${token.header.alg} token, found in ${token.location}`;
    byId("rows").replaceChildren(...claimNames().map(claimRow));
  }
  tick();
}

/** The known claims in the order above, then any others. */
function claimNames() {
  const known = Object.keys(MEANING).filter((name) => name in token.claims);
  return [...known, ...Object.keys(token.claims).filter((name) => !(name in MEANING))];
}

function claimRow(name) {
  const value = token.claims[name];
  const head = element("th");
  head.scope = "row";
  head.append(element("code", name), element("small", MEANING[name] ?? ""));
  const cell = element("td");
  if (TIMES.includes(name)) cell.append(...timeInWords(value));
  else if (name === "fresh") cell.append(value ? "yes" : "no, from a refresh");
  else cell.append(typeof value === "string" ? value : JSON.stringify(value));
  const row = element("tr");
  row.append(head, cell);
  return row;
}

function timeInWords(seconds) {
  const raw = element("small", String(seconds));
  return [`${DATE.format(new Date(seconds * 1000))}, `, ticking(seconds), raw];
}

/** How far away a time is, in words that `tick` keeps true. */
function ticking(seconds) {
  const made = element("span", relative(seconds));
  made.dataset.seconds = seconds;
  return made;
}

const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** The two largest units say enough. */
function relative(seconds) {
  let rest = Math.round(Math.abs(seconds - now()));
  if (rest === 0) return "now";
  const first = UNITS.findIndex(([, size]) => rest >= size);
  const words = UNITS.slice(first, first + 2).map(([noun, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count && plural(count, noun);
  });
  const text = words.filter(Boolean).join(" ");
  return seconds > now() ? `in ${text}` : `${text} ago`;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Bring everything that depends on the time up to date. */
function tick() {
  const left = token ? Math.max(0, token.claims.exp - now()) : 0;
  const state = !token ? "out" : left > 0 ? "in" : "over";
  const pill = byId("state");
  pill.dataset.state = state;
  const clock = minutesAndSeconds(left);
  pill.textContent = { out: "Signed out", in: `${token?.claims.name}, ${clock}`, over: "Token expired" }[state];
  if (token) showLife(left, clock);
  for (const span of document.querySelectorAll("[data-seconds]")) {
    const words = relative(Number(span.dataset.seconds));
    if (span.textContent !== words) span.textContent = words;
  }
}

function minutesAndSeconds(left) {
  const whole = Math.ceil(left);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function showLife(left, clock) {
  byId("clock").textContent = clock;
  byId("clock-note").textContent = left > 0 ? "left" : "left: refresh it, or log in again";
  byId("bar").max = token.claims.exp - token.claims.iat;
  byId("bar").value = left;
  if (left === 0 && !ranOut) {
    ranOut = true;
    announce(null, "The access token has expired", "Any call with it is refused from now on. Refresh it.");
  }
}

// Devices ----------------------------------------------------------------------------------------

function showDevices(devices) {
  byId("devices").replaceChildren(...devices.map(deviceItem));
  byId("no-devices").hidden = devices.length > 0;
}

/** What a browser says of itself is text, whatever it says: it never becomes part of the page's code. */
function deviceItem(device) {
  const head = element("p", undefined, "device-head");
  head.append(element("strong", device.label), ...(device.current ? [element("span", "this one", "pill")] : []));
  const times = element("p");
  times.append("Started ", ticking(device.started));
  if (device.refreshed > device.started) times.append(", refreshed ", ticking(device.refreshed));
  times.append(`, from ${device.address}`);
  const item = element("li", undefined, device.current ? "current" : "");
  item.append(head, endButton(device), times, element("code", device.browser ?? "It does not say what it is."));
  return item;
}

function endButton({ id, label, current }) {
  const button = element("button", "End", "quiet");
  button.type = "button";
  button.setAttribute("aria-label", `End ${label}`);
  Object.assign(button.dataset, { action: "end-device", id, label, ...(current && { current }) });
  return button;
}

function showSignedOut() {
  showNotes([]);
  showDevices([]);
  showToken(null);
}

function showNotes(notes) {
  byId("notes").replaceChildren(...notes.map((text) => element("li", text)));
  byId("no-notes").hidden = notes.length > 0;
}

// Log --------------------------------------------------------------------------------------------

const REVOKED = /revoked/;
const ADVICE = [
  [/CSRF/, "The browser added the cookie by itself, as it may for another site's page. That alone is not enough."],
  [/expired/, "Refresh it, or log in again."],
  [/[Ff]resh token/, "This one came from a refresh. Log in again to have a fresh one."],
  [/^Missing/, "No token came along. Log in first."],
  [REVOKED, "The session was ended, perhaps from another device. Log in again."],
  [/unavailable/, "As long as nobody can tell whether the session goes on, nothing passes."],
  [/Signature/, "It is from an earlier run of the demo, whose key is gone. Log in again."],
];

/** Why an answer is as it is: `success`, or advice that fits the server's message. */
function explain(entry, success) {
  if (entry.ok) return success;
  const message = String(entry.data?.msg ?? "");
  const advice = ADVICE.find(([pattern]) => pattern.test(message));
  return advice ? `${message}. ${advice[1]}` : message;
}

/** Log what a click did, and say it aloud. */
function show(entry, success) {
  log(entry, success, { open: true });
  announce(entry, entry.title, explain(entry, success));
  if (!entry.ok && REVOKED.test(entry.data?.msg)) showSignedOut();
}

function announce(entry, title, text) {
  const outcome = byId("outcome");
  outcome.className = `outcome ${!entry ? "" : entry.ok ? "accepted" : "refused"}`;
  const line = [element("strong", title), ` ${text} `];
  if (entry) {
    const link = element("a", "Details");
    link.href = "#log";
    line.unshift(badge(entry), " ");
    line.push(link);
  }
  outcome.replaceChildren(...line);
}

const badge = (entry) => element("span", entry.status || "none", `badge ${entry.ok ? "accepted" : "refused"}`);

function log(entry, success, { open }) {
  if (open) for (const details of byId("entries").querySelectorAll("details")) details.open = false;
  const details = element("details");
  details.open = open;
  details.append(
    summary(entry),
    element("p", explain(entry, success)),
    element("h3", "Sent"),
    element("pre", sentText(entry)),
    element("h3", "Came back"),
    element("pre", gotText(entry)),
  );
  const item = element("li");
  item.append(details);
  byId("entries").prepend(item);
  byId("log-empty").hidden = true;
}

function summary(entry) {
  const made = element("summary");
  const what = element("span", undefined, "what");
  what.append(element("strong", entry.title), element("code", `${entry.method} ${entry.path}`));
  made.append(badge(entry), what, element("time", entry.at.toLocaleTimeString("en-GB")));
  return made;
}

function sentText(entry) {
  const lines = [`${entry.method} ${entry.path}`, ...headerLines(entry.sent)];
  const cookies = entry.got?.["demo-cookies-received"];
  if (cookies) lines.push(`Cookie: ${cookies.replaceAll(", ", "; ")}  (by the browser; names only)`);
  if (!entry.sent["X-CSRF-TOKEN"] && entry.method !== "GET") lines.push("(no X-CSRF-TOKEN)");
  return [...lines, ...(entry.body ? ["", entry.body] : [])].join("\n");
}

const SHOWN = ["content-type", "allow", "www-authenticate"];

function gotText(entry) {
  if (!entry.got) return entry.data.msg;
  const shown = Object.entries(entry.got).filter(([name]) => SHOWN.includes(name));
  const lines = [`${entry.status} ${entry.reason}`, ...headerLines(Object.fromEntries(shown))];
  const written = entry.got["demo-cookies-written"];
  if (written) lines.push(`set-cookie: ${written.replaceAll(", ", "; ")}  (names only)`);
  return [...lines, "", entry.text].join("\n");
}

const headerLines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`);

// Start ------------------------------------------------------------------------------------------

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-action]");
  if (button) actions[button.dataset.action](button.dataset);
});

byId("note-form").addEventListener("submit", (event) => {
  event.preventDefault();
  actions["post-with"]();
});

setInterval(tick, 250);

// A cookie of an earlier visit: show its token, or say why it no longer counts.
if (cookie("csrf_access_token")) {
  const entry = await loadSession();
  if (!entry.ok) announce(entry, entry.title, explain(entry));
}
