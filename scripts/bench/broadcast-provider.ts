// A provider of SMS in a process of its own, shaped as Twilio: `node broadcast-provider.ts <auth token> <receipts in flight> <most reports>`. It takes every message, and when it is told to,
// reports those of the broadcast as undelivered, as many as it may.
import { createHmac } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** What it answers, under the name of what was asked: of what it took, how many reports were taken of it, and of the receipts that it sent. */
export type Taken = {
  readonly taken: number;
  readonly firstAt: number;
  readonly reported: number;
};
export type Stormed = {
  readonly reports: number;
  readonly refused: number;
  readonly seconds: number;
};

const [token, width, mostReports] = process.argv.slice(2);
const addresses: string[] = [];
/** Which of them a contact of the broadcast got. */
const ofBroadcast: number[] = [];
let firstAt = 0;
let reported = 0;
const sidOf = (index: number): string => `SM${String(index).padStart(32, "0")}`;

const server = createServer((incoming, response) => {
  let text = "";
  incoming.setEncoding("latin1");
  incoming.on("data", (chunk: string) => (text += chunk));
  incoming.on("end", () => {
    const form = new URLSearchParams(text);
    const index = addresses.push(form.get("StatusCallback")!) - 1;
    // Others are sent to beside it.
    if (form.get("Body") === "Everything is 20 % off today.") {
      firstAt ||= Date.now();
      ofBroadcast.push(index);
    }
    const sid = sidOf(index);
    response.writeHead(201, { "content-type": "application/json" });
    response.end(JSON.stringify({ sid, status: "queued" }));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () =>
  process.send!({ port: (server.address() as AddressInfo).port }),
);

const agent = new Agent({ keepAlive: true, maxSockets: Number(width) });

/** Whether it was taken. */
function report(index: number): Promise<boolean> {
  const url = addresses[index]!;
  const sid = sidOf(index);
  const fields = { ErrorCode: "30005", MessageSid: sid, MessageStatus: "undelivered" };
  const body = new URLSearchParams(fields).toString();
  const signed = Object.entries(fields).reduce((all, [name, value]) => all + name + value, url);
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": body.length,
    "x-twilio-signature": createHmac("sha1", token!).update(signed).digest("base64"),
  };
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", headers, agent }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode! < 300));
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function storm(): Promise<Stormed> {
  const began = performance.now();
  const reports = Math.min(ofBroadcast.length, Number(mostReports));
  let next = 0;
  let refused = 0;
  const lane = async (): Promise<void> => {
    // Whoever is refused comes again, as providers do.
    for (let n = next++; n < reports; n = next++) {
      while (!(await report(ofBroadcast[n]!))) refused++;
      reported++;
    }
  };
  await Promise.all(Array.from({ length: Number(width) }, lane));
  return { reports, refused, seconds: (performance.now() - began) / 1_000 };
}

process.on("message", (asked: "taken" | "storm") => {
  if (asked === "taken")
    process.send!({ taken: { taken: addresses.length, firstAt, reported } satisfies Taken });
  else void storm().then((stormed) => process.send!({ storm: stormed }));
});
// Whoever started it is gone.
process.on("disconnect", () => process.exit());
