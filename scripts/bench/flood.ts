import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { sms } from "./flood-sms.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { drive, type LoadResult } from "./load.ts";
import { limitRow, type Row } from "./row.ts";

/** Each of the others sends so many messages a second; the flooder offers fifty times as many as one of them. */
const others = 4;
const otherPerSecond = 10;
const times = 50;
const sliceMs = 10_000;
const rounds = 4;
/** Nobody else's p99 moves by more. */
const mostRatio = 1.2;

/** What a process that floods tells of one flood. */
export type Flood = Pick<LoadResult, "seconds" | "statuses">;

/**
 * What a partner who floods does to others: their time to a durable 202, and to `sent` (`Prefer: wait`), without and with a flood of fifty times the rate of one of them, slices taking
 * turns in one run. The whole product in one process, so all share the ingress's append queue, the wallet, and dispatch. The flood comes from a process of its own: one that answers
 * hundreds a second would measure its own waiting.
 */
export async function benchFlood(): Promise<Row[]> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir);
  const perSecond = String(otherPerSecond * times);
  const flooder = fork(new URL("./flood-run.ts", import.meta.url), [
    String(instance.port),
    instance.sandboxKey,
    perSecond,
  ]);
  try {
    const keys: string[] = [];
    for (let n = 0; n < others; n++) keys.push(await makePartner(instance, `Other ${n}`));
    const quiet: Slice[] = [];
    const flooded: Slice[] = [];
    const floods: Flood[] = [];
    await Promise.all([slice(instance, keys), flood(flooder)]);
    for (let round = 0; round < rounds; round++) {
      quiet.push(await slice(instance, keys));
      const [seen, made] = await Promise.all([slice(instance, keys), flood(flooder)]);
      flooded.push(seen);
      floods.push(made);
    }
    return rowsOf(quiet, flooded, noteOf(floods));
  } finally {
    await stopChild(flooder);
    await instance.stop();
    await removeDataDir(dataDir);
  }
}

function noteOf(floods: readonly Flood[]): string {
  const perSecond = (which: (status: string) => boolean): number => {
    let answers = 0;
    let seconds = 0;
    for (const made of floods) {
      seconds += made.seconds;
      for (const [status, count] of Object.entries(made.statuses))
        if (which(status)) answers += count;
    }
    return Math.round(answers / seconds);
  };
  const accepted = perSecond((status) => status === "202");
  const refused = perSecond((status) => status !== "202");
  return `the flood: ${otherPerSecond * times}/s offered, ${accepted} accepted, ${refused} refused; ${others} others of ${otherPerSecond}/s`;
}

const rowsOf = (quiet: readonly Slice[], flooded: readonly Slice[], note: string): Row[] =>
  (["accepted", "sent"] as const).flatMap((what) => {
    const of = (slices: readonly Slice[], share: number): number => {
      const all = slices.flatMap((each) => each[what]).toSorted((a, b) => a - b);
      return all[Math.min(all.length - 1, Math.floor(all.length * share))]!;
    };
    return [0.5, 0.99].map((share) => {
      const [without, with_] = [of(quiet, share), of(flooded, share)];
      const ratio = Math.round((with_ / without) * 100) / 100;
      const figure = `others' time to ${what}, p${share * 100}, with a flood / without`;
      const shown = `${with_.toFixed(1)} ms / ${without.toFixed(1)} ms; ${note}`;
      return limitRow(figure, "×", ratio, share === 0.99 ? mostRatio : undefined, shown);
    });
  });

/** Milliseconds of each answer. */
type Slice = { readonly accepted: readonly number[]; readonly sent: readonly number[] };

/** What the others send in one slice: half of it waits until it is sent. */
async function slice({ port }: Instance, keys: readonly string[]): Promise<Slice> {
  const load = async (key: string, headers: Readonly<Record<string, string>>) => {
    const { statuses, times: took } = await drive(
      { host: "127.0.0.1", port, connections: 16, request: (n) => sms(key, n, headers) },
      { durationMs: sliceMs, ratePerSecond: otherPerSecond / 2 },
    );
    if (Object.keys(statuses).some((status) => status !== "202" && status !== "200"))
      throw new Error(`answers to one of the others: ${JSON.stringify(statuses)}`);
    return took;
  };
  const all = (headers: Readonly<Record<string, string>>) =>
    Promise.all(keys.map((key) => load(key, headers)));
  const [accepted, sent] = await Promise.all([all({}), all({ prefer: "wait=30" })]);
  return { accepted: accepted.flat(), sent: sent.flat() };
}

async function flood(flooder: ChildProcess): Promise<Flood> {
  const answer = once(flooder, "message");
  flooder.send(sliceMs);
  const [made] = await answer;
  return made;
}

async function makePartner({ baseUrl, adminKey }: Instance, name: string): Promise<string> {
  const post = async (path: string, key: string, body: object) => {
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const partner = (await post("/admin/partners", adminKey, { name, rate_limit: 1_000 })) as {
    readonly keys: { readonly sandbox: string };
  };
  await post("/wallet/topups", partner.keys.sandbox, { amount: "1000" });
  return partner.keys.sandbox;
}
