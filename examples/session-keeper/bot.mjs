// A bot that renews its session when keygate asks it to. No packages: node bot.mjs [PORT]
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.SESSION_KEEPER_SECRET;
if (!secret) throw new Error("set SESSION_KEEPER_SECRET");
let renewed = 0;

// Log in anew here: try keepAlive() first, login() only if that fails, and keep the new cookies.
// Return "alive" if the session was good, "refreshed" if it is now, "needs_login" if a human must log in.
async function renew(credentials) {
  renewed += 1;
  return "refreshed";
}

function isOurs(headers, body) {
  const at = headers["x-keygate-timestamp"] ?? "0";
  const signed = Buffer.from("v1=" + createHmac("sha256", secret).update(`${at}.`).update(body).digest("hex"));
  const shown = Buffer.from(headers["x-keygate-signature"] ?? "");
  return shown.length === signed.length && timingSafeEqual(shown, signed) && Math.abs(Date.now() / 1000 - at) <= 300;
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const ours = isOurs(request.headers, body);
  const answer = ours ? { status: await renew(JSON.parse(body).credentials) } : { error: "wrong signature" };
  response.writeHead(ours ? 200 : 401, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
