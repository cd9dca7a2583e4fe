// Socket.IO in forty lines, so that the example needs no other file. A real page would use socket.io-client.
let socket = null;

const line = (text) => {
  document.getElementById("lines").append(Object.assign(document.createElement("li"), { textContent: text }));
};
const cookie = (name) =>
  document.cookie
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
const post = (path, body = {}) =>
  fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-TOKEN": cookie("__Host-csrf_access_token") ?? "" },
    body: JSON.stringify(body),
  });

// The token is in a cookie that no script can read: the browser sends it with the handshake.
function join() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  socket.addEventListener("message", ({ data }) => heard(data));
  socket.addEventListener("close", () => line("The connection is closed"));
}

function heard(packet) {
  if (packet.startsWith("0")) socket.send("40"); // it is open: ask to join
  else if (packet === "2") socket.send("3"); // ping, pong
  else if (packet.startsWith("44")) line(`Refused: ${JSON.parse(packet.slice(2)).message}`);
  else if (packet.startsWith("41")) socket.close();
  else if (packet.startsWith("42")) happened(...JSON.parse(packet.slice(2)));
}

function happened(event, value) {
  if (event === "joined") line(`${value} is here`);
  if (event === "said") line(`${value.who}: ${value.text}`);
}

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  await post("/login", Object.fromEntries(new FormData(event.target)));
  join();
});
document.getElementById("anonymous").addEventListener("click", join);
document.getElementById("say").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(`42${JSON.stringify(["say", new FormData(event.target).get("text")])}`);
});
document.getElementById("logout").addEventListener("click", () => post("/logout"));
