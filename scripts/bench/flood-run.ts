// A partner who floods, in a process of his own: `node flood-run.ts <port> <key> <per second>`. Each message to it says for how many milliseconds; it answers what came of it.
import type { Flood } from "./flood.ts";
import { sms } from "./flood-sms.ts";
import { drive } from "./load.ts";

const [port, key, perSecond] = process.argv.slice(2);
const load = {
  host: "127.0.0.1",
  port: Number(port),
  connections: 64,
  request: (n: number) => sms(key!, n),
};

process.on("message", (durationMs: number) => {
  void drive(load, { durationMs, ratePerSecond: Number(perSecond) }).then(({ seconds, statuses }) =>
    process.send!({ seconds, statuses } satisfies Flood),
  );
});
