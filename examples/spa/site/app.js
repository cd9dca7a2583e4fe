// The API: another port here, another subdomain in production (app.example.com and api.example.com).
const API = new URLSearchParams(location.search).get("api") ?? "http://localhost:8000";

// The tokens are in cookies that no script can read. The CSRF values are here; all tabs share them.
const csrf = () => JSON.parse(localStorage.getItem("csrf") ?? "{}");

// The refresh token has a CSRF value of its own.
const REFRESH_TOKEN = ["/refresh", "/session"];

async function send(method, path, body) {
  const value = csrf()[REFRESH_TOKEN.includes(path) ? "refresh" : "access"];
  const headers = { ...(value && { "X-CSRF-TOKEN": value }), ...(body && { "Content-Type": "application/json" }) };
  const answer = await fetch(API + path, { method, headers, body: body && JSON.stringify(body), credentials: "include" });
  if (answer.ok && ["/login", "/refresh"].includes(path)) localStorage.setItem("csrf", await answer.clone().text());
  return answer;
}

// Calls that are refused at the same time wait for one refresh. Two tabs may both refresh: the server accepts that.
let refreshing = null;

async function call(method, path, body) {
  let answer = await send(method, path, body);
  if (answer.status === 401 && path !== "/login") {
    refreshing ??= send("POST", "/refresh").finally(() => (refreshing = null));
    if ((await refreshing).ok) answer = await send(method, path, body);
  }
  return answer;
}

async function show(method, path, body) {
  const answer = await call(method, path, body);
  document.getElementById("answer").textContent = `${answer.status} ${JSON.stringify(await answer.json())}`;
}

const fields = (form) => Object.fromEntries(new FormData(form));

for (const [id, method, path] of [["login", "POST", "/login"], ["note", "POST", "/notes"]]) {
  document.getElementById(id).addEventListener("submit", (event) => {
    event.preventDefault();
    show(method, path, fields(event.target));
  });
}
document.getElementById("me").addEventListener("click", () => show("GET", "/me"));
document.getElementById("logout").addEventListener("click", () => show("DELETE", "/session"));
