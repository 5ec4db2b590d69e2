// Receives webhooks, verifies them by Standard Webhooks 1.0 and prints each event once. Node 20 or later, no packages:
//   SECRET=whsec_… PORT=3000 node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { SECRET, PORT = "3000" } = process.env;
if (!SECRET?.startsWith("whsec_")) throw new Error("SECRET must be the endpoint's, whsec_…");
const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
/** Older or newer than this is refused, so that a recorded request cannot be sent again later. */
const toleranceSeconds = 300;
const maxBodyBytes = 1024 * 1024;

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": given } = headers;
  if (!id || !given || !/^\d+$/.test(timestamp ?? "")) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > toleranceSeconds) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  // While a secret is rotated there is a signature for each.
  return given.split(" ").some((part) => {
    const signature = Buffer.from(part.replace(/^v1,/, ""), "base64");
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}

// Delivery is at least once. What must survive a restart belongs into the transaction that stores the event's effect, as a unique
// key; memory is enough where an effect may be repeated then.
const mostRemembered = 100_000;
const seen = new Set();
function handleOnce(event) {
  if (seen.has(event.id)) return;
  handle(event);
  // Only now: what failed is asked for again with a 500, and must not be taken for a repetition then.
  seen.add(event.id);
  if (seen.size > mostRemembered) seen.delete(seen.values().next().value);
}

/** Several of an endpoint that takes batches: each by its own id, which is the webhook-id of one that comes alone. */
function eventsIn(body) {
  const said = JSON.parse(body.toString());
  return Array.isArray(said.events) ? said.events : [said];
}

/** What you do with an event. Store it here and work on it later: an answer that takes over 15 s counts as failed. */
function handle({ type, sequence, data }) {
  console.log(`${type} ${sequence} ${JSON.stringify(data)}`);
}

/** The bytes as they came: a JSON parser before the check would change them. Undefined when there are too many. */
async function bytesOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > maxBodyBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function receive(request) {
  const body = await bytesOf(request);
  if (body === undefined) return 413;
  if (request.method !== "POST" || !isGenuine(request.headers, body)) return 401;
  for (const event of eventsIn(body)) handleOnce(event);
  return 204;
}

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    (error) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
});
server.listen(Number(PORT), () => console.log(`ready on port ${server.address().port}`));
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => server.close().closeIdleConnections());
