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

/** The header that proves that a request comes from this page, not from another site's. */
function csrfHeader(kind) {
  const value = cookie(`csrf_${kind}_token`);
  return value ? { "X-CSRF-TOKEN": value } : {};
}

/** Send a request and return what to show of it. A `stranger` is another client: without our cookies. */
async function send(title, method, path, { headers = {}, body, stranger = false } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const entry = { title, method, path, sent, body: body && JSON.stringify(body), at: new Date() };
  try {
    const credentials = stranger ? "omit" : "same-origin";
    const answer = await fetch(path, { method, headers: sent, body: entry.body, credentials, cache: "no-store" });
    entry.status = answer.status;
    entry.reason = answer.statusText;
    entry.got = Object.fromEntries(answer.headers);
    entry.text = (await answer.text()).trim();
    entry.data = parsed(entry.text);
  } catch {
    entry.status = 0;
    entry.data = { msg: "No response. Is the demo still running?" };
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
    show(entry, "Both tokens came in cookies. Their CSRF values came in two more cookies, which this script can read.");
    if (entry.ok) {
      showNotes([]);
      await loadSession();
    }
  },

  async refresh() {
    const entry = await send("Refresh", "POST", "/api/session/refresh", { headers: csrfHeader("refresh") });
    show(entry, "Two new tokens. The access token is not fresh, because you did not type a password for it.");
    if (entry.ok) await loadSession();
  },

  async logout() {
    const entry = await send("Log out", "DELETE", "/api/session", { headers: csrfHeader("refresh") });
    show(entry, "The session has ended, and the browser deleted all four cookies.");
    if (entry.ok) showSignedOut();
  },

  async devices() {
    const entry = await send("Look at your devices", "GET", "/api/devices");
    show(entry, "Your own active sessions, not those of other users.");
    if (entry.ok) showDevices(entry.data.devices);
  },

  async "end-device"({ id, label, current }) {
    const entry = await send(`End ${label}`, "DELETE", `/api/devices/${id}`, { headers: csrfHeader("access") });
    show(entry, "Its tokens are refused from now on, even if they have not expired.");
    if (!entry.ok) return;
    if (current) showSignedOut();
    else showDevices(entry.data.devices);
  },

  async "end-others"() {
    const entry = await send("End all others", "DELETE", "/api/devices", { headers: csrfHeader("access") });
    show(entry, "Only this session is still active.");
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

  async steal() {
    const entry = await send("A thief copies your refresh token", "POST", "/api/session/theft", {
      headers: csrfHeader("refresh"),
    });
    stolen = entry.data?.refresh_token ?? null;
    if (stolen) entry.text = entry.text.replace(stolen, shortened(stolen));
    show(entry, "Only a demo gives it to a script. Now refresh: your session stays active, and the copy stops working soon.");
    showTheft("over", stolen ? "A thief has a copy of your refresh token" : "Nothing is stolen");
  },

  async "use-stolen"() {
    if (!stolen) return announce(null, "There is no copy", "First let the thief copy the token.");
    const entry = await send("The thief uses the copy", "POST", "/api/session/refresh", {
      headers: { Authorization: `Bearer ${stolen}` },
      stranger: true,
    });
    entry.sent = { Authorization: `Bearer ${shortened(stolen)}` };
    const { access_token: access, refresh_token: refresh } = entry.data;
    for (const token of [access, refresh]) if (token) entry.text = entry.text.replace(token, shortened(token));
    const caught = !entry.ok;
    show(
      entry,
      "Accepted: so soon after your refresh, this could be a second tab. The next of you to use an old token ends the session.",
      "The token was already used, so there must be a copy. The whole session has ended: the thief's tokens and yours. Log in again.",
    );
    if (caught) showTheft("in", "Caught: the session has ended");
  },

  async keys() {
    show(await loadKeys(), "Public keys are not secret: they verify tokens and cannot sign any.");
  },

  async rotate() {
    const before = await signingKey();
    const entry = await send("Rotate the keys", "POST", "/api/keys", { headers: csrfHeader("access") });
    show(entry, "Another process has changed the file. This one reads it again within two seconds.");
    if (!entry.ok) return;
    byId("terminal").hidden = false;
    byId("terminal").textContent = entry.data.terminal.map(typed).join("\n");
    const began = Date.now();
    while ((await signingKey()) === before && Date.now() - began < 10_000) await pause(200);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    log(await loadKeys(), "Public keys are not secret: they verify tokens and cannot sign any.", { open: false });
    announce(entry, "The new key signs", `Noticed after ${seconds} seconds. Your token is still valid; refresh it to get one signed by the new key.`);
  },

  empty() {
    byId("entries").replaceChildren();
    byId("outcome").textContent = "";
    byId("log-empty").hidden = false;
  },
};

async function post(title, headers) {
  const entry = await send(title, "POST", "/api/notes", { headers, body: { text: byId("note").value } });
  show(entry, "The header repeats a value that only pages of this site can read.");
  if (entry.ok) showNotes(entry.data.notes);
}

/** Load the content of the access token and the list of sessions. */
async function loadSession() {
  const entry = await loadToken();
  if (!entry.ok) return entry;
  const devices = await send("Look at your devices", "GET", "/api/devices");
  log(devices, "Your own active sessions, not those of other users.", { open: false });
  if (devices.ok) showDevices(devices.data.devices);
  return devices;
}

/** Load the content of the access token. */
async function loadToken() {
  const entry = await send("Show the token", "GET", "/api/me");
  log(entry, "The token came in a cookie.", { open: false });
  if (entry.ok) {
    clockAhead = entry.data.now - Date.now() / 1000;
    showToken(entry.data);
  }
  return entry;
}

// Theft, keys, routes ----------------------------------------------------------------------------

/** The thief's copy. A real thief would not keep it here. */
let stolen = null;

/** The beginning of a token, too short to be used. */
const shortened = (text) => `${text.slice(0, 12)}...`;

function showTheft(state, text) {
  byId("theft").dataset.state = state;
  byId("theft").textContent = text;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const signingKey = async () => (await send("", "GET", "/api/keys")).data.signs;

/** A command as you would type it, and what it prints. */
const typed = ({ command, output }) => `$ ${command}\n${output.trimEnd()}`;

/** The published keys, and the kid of the one that signs. */
const keys = { published: [], signs: null };

async function loadKeys() {
  const entry = await send("Look at the keys", "GET", "/.well-known/jwks.json");
  if (entry.ok) Object.assign(keys, { published: entry.data.keys, signs: await signingKey() });
  showKeys();
  return entry;
}

/** Show the keys, and mark the one that signed the token of this browser. */
function showKeys() {
  byId("keys").replaceChildren(...keys.published.map(keyItem));
}

function keyItem({ kid, alg }) {
  const item = element("li", undefined, kid === keys.signs ? "current" : "");
  const head = element("p", undefined, "device-head");
  head.append(element("strong", kid.slice(0, 12)), element("span", kid === keys.signs ? "signs" : "verifies", "pill"));
  if (kid === token?.header.kid) head.append(element("span", "your token", "pill"));
  item.append(head, element("code", alg));
  return item;
}

async function loadRoutes() {
  const { data } = await send("", "GET", "/api/routes");
  byId("route-rows").replaceChildren(...(data.routes ?? []).map(routeRow));
}

function routeRow({ method, rule, guard, requirements }) {
  const row = element("tr");
  row.append(...[method, rule, guard, requirements].map((text, place) => cell(text, place === 1 ? "code" : "span")));
  return row;
}

function cell(text, tag) {
  const made = element("td");
  made.append(element(tag, text));
  return made;
}

// Token ------------------------------------------------------------------------------------------

const MEANING = {
  sub: "The user",
  name: "Added by this demo",
  roles: "What the user may do",
  type: "Access or refresh token",
  fresh: "Issued for a password?",
  iat: "Issued",
  nbf: "Not valid before",
  exp: "Expires",
  auth_time: "When the password was typed",
  sid: "The session",
  jti: "The ID of the token",
  csrf: "Sent as X-CSRF-TOKEN",
};
const TIMES = ["iat", "nbf", "exp", "auth_time"];
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
    byId("caption").textContent =
      `${token.header.alg} token, signed by key ${token.header.kid.slice(0, 12)}, sent in ${token.location}`;
    byId("rows").replaceChildren(...claimNames().map(claimRow));
  }
  showKeys();
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

/** A time in its two largest units. */
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

/** Update everything that depends on the time. */
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
    announce(null, "The access token has expired", "Requests with it are refused from now on. Refresh it.");
  }
}

// Devices ----------------------------------------------------------------------------------------

function showDevices(devices) {
  byId("devices").replaceChildren(...devices.map(deviceItem));
  byId("no-devices").hidden = devices.length > 0;
}

/** A user agent is shown as text: it never becomes part of the page's code. */
function deviceItem(device) {
  const head = element("p", undefined, "device-head");
  head.append(element("strong", device.label), ...(device.current ? [element("span", "this one", "pill")] : []));
  const times = element("p");
  times.append("Started ", ticking(device.started));
  if (device.refreshed > device.started) times.append(", refreshed ", ticking(device.refreshed));
  times.append(`, from ${device.address}`);
  const item = element("li", undefined, device.current ? "current" : "");
  item.append(head, endButton(device), times, element("code", device.browser ?? "(no user agent)"));
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
  stolen = null;
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
  [/CSRF/, "Browsers add cookies automatically, even for requests from other sites, so the cookie alone is not enough."],
  [/expired/, "Refresh it, or log in again."],
  [/[Ff]resh token/, "This token came from a refresh. Log in again to get a fresh one."],
  [/does not allow/, "The token lacks the role that this route requires: a 403, not a 401. Logging in again would not help."],
  [/^Missing/, "The request had no token. Log in first."],
  [REVOKED, "The session was ended, perhaps from another device. Log in again."],
  [/unavailable/, "While the store is unavailable, the server cannot check sessions, so it refuses every token."],
  [/Signature/, "The token is from an earlier run of the demo, whose key is gone. Log in again."],
];

/** Explain a response: with `success`, with `failure` if it is given, or with advice for the server's message. */
function explain(entry, success, failure) {
  if (entry.ok) return success;
  if (failure) return failure;
  const message = String(entry.data?.msg ?? "");
  const advice = ADVICE.find(([pattern]) => pattern.test(message));
  return advice ? `${message}. ${advice[1]}` : message;
}

/** Log what a click did, and announce it. */
function show(entry, success, failure) {
  log(entry, success, { open: true, failure });
  announce(entry, entry.title, explain(entry, success, failure));
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

function log(entry, success, { open, failure }) {
  if (open) for (const details of byId("entries").querySelectorAll("details")) details.open = false;
  const details = element("details");
  details.open = open;
  details.append(
    summary(entry),
    element("p", explain(entry, success, failure)),
    element("h3", "Sent"),
    element("pre", sentText(entry)),
    element("h3", "Received"),
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
loadRoutes();

// There is a cookie of an earlier visit: show its token, or explain why it is refused.
if (cookie("csrf_access_token")) {
  const entry = await loadSession();
  if (!entry.ok) announce(entry, entry.title, explain(entry));
}
await loadKeys();
