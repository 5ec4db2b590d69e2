import { fork } from "node:child_process";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { startMeasured, stopChild } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { ratioRow, type Row } from "./row.ts";

export const exampleBody = JSON.stringify({
  channel: "whatsapp",
  to: "+15551234567",
  template: "order_confirmation",
  language: "en",
  variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
});

const rounds = 3;
const sliceMs = 4_000;

/** Durable `POST /messages` with only the ingress running, against bare Express that parses the same body and stores nothing; they take turns. */
export async function benchHttp(): Promise<Row[]> {
  const dataDir = newDataDir();
  const bare = fork(new URL("bare-express.ts", import.meta.url));
  const barePort = await new Promise<number>((resolve) =>
    bare.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const instance = await startMeasured(dataDir, { HELIOGRAPH_SERVICES: "ingress" });
  try {
    const ours = postRequest(
      "127.0.0.1",
      "/api/v1/messages",
      { authorization: `Bearer ${instance.sandboxKey}` },
      exampleBody,
    );
    const theirs = postRequest(
      "127.0.0.1",
      "/messages",
      { authorization: `Bearer ${instance.sandboxKey}` },
      exampleBody,
    );
    const run = (port: number, request: string, durationMs: number) =>
      drive({ host: "127.0.0.1", port, connections: 64, request: () => request }, { durationMs });
    await run(instance.port, ours, 2_000);
    await run(barePort, theirs, 2_000);
    let own = 0;
    let other = 0;
    for (let round = 0; round < rounds; round++) {
      const mine = await run(instance.port, ours, sliceMs);
      if (Object.keys(mine.statuses).some((status) => status !== "202"))
        throw new Error(`answers other than 202: ${JSON.stringify(mine.statuses)}`);
      own += mine.answers / mine.seconds;
      const bareResult = await run(barePort, theirs, sliceMs);
      other += bareResult.answers / bareResult.seconds;
    }
    return [
      ratioRow(
        "durable POST /messages, 64 connections",
        "requests/s",
        own / rounds,
        { value: other / rounds, of: "bare Express 5 with express.json()" },
        0.5,
      ),
    ];
  } finally {
    await instance.stop();
    await stopChild(bare);
    await removeDataDir(dataDir);
  }
}
