import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePort, programMissing, startKannel } from "@heliograph/testkit";
import { stopChild } from "./instance.ts";
import { type Seen, seenAll } from "./smpp-seen.ts";

/** So many are handed to Kannel over HTTP before it has anybody to submit them to: that takes longer than to submit them. */
const submits = 20_000;
/** Calls of its HTTP interface at once. */
const lanes = 32;

/** Submits of Kannel on one transceiver, and what they cost it; undefined, with the reason on the terminal, where it is not installed. */
export async function kannelSubmits(window: number, text: string): Promise<Seen | undefined> {
  const missing = programMissing("kannel");
  if (missing !== undefined) {
    console.log(`skipped: ${missing}`);
    return undefined;
  }
  const port = await freePort();
  const kannel = await startKannel({ port, systemId: "bench", password: "bench", window });
  let centre: ChildProcess | undefined;
  try {
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let n = next++; n < submits; n = next++)
        await kannel.send({ from: "Shop", to: `+1555${String(1_000_000 + n)}`, text });
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const before = await kannel.cpuMs();
    centre = fork(new URL("smpp-centre.ts", import.meta.url), [String(port)]);
    await once(centre, "message");
    const ms = await seenAll(centre, submits);
    const cpuMs = ((await kannel.cpuMs()) - before) / submits;
    return { perSecond: submits / (ms / 1_000), cpuMs };
  } finally {
    await kannel.close();
    if (centre !== undefined) await stopChild(centre);
  }
}
