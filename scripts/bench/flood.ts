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

/** Slices of one kind. */
const kinds = ["quiet", "flooded", "elsewhere"] as const;
type Seen = Readonly<Record<(typeof kinds)[number], Slice[]>>;

/**
 * What a partner who floods does to others: their time to a durable 202, and to `sent` (`Prefer: wait`), without and with a flood of fifty times the rate of one of them, slices taking
 * turns in one run. The whole product in one process, so all share the ingress's append queue, the wallet, and dispatch. The flood comes from a process of its own: one that answers
 * hundreds a second would measure its own waiting.
 *
 * The bare baseline is the same flood at another instance of the product on the same machine: nothing is shared with it but the processors, so what it does to the others is what no
 * queue of this instance could keep from them.
 */
export async function benchFlood(): Promise<Row[]> {
  const dataDirs = [newDataDir(), newDataDir()];
  const running: Instance[] = [];
  const flooders: ChildProcess[] = [];
  try {
    for (const dataDir of dataDirs) {
      const instance = await startMeasured(dataDir);
      running.push(instance);
      flooders.push(startFlooder(instance));
    }
    const [instance] = running;
    const [here, elsewhere] = flooders;
    const keys: string[] = [];
    for (let n = 0; n < others; n++) keys.push(await makePartner(instance!, `Other ${n}`));
    const seen: Seen = { quiet: [], flooded: [], elsewhere: [] };
    const floods: Flood[] = [];
    for (const flooder of flooders) await Promise.all([slice(instance!, keys), flood(flooder)]);
    for (let round = 0; round < rounds; round++) {
      seen.quiet.push(await slice(instance!, keys));
      const [flooded, made] = await Promise.all([slice(instance!, keys), flood(here!)]);
      seen.flooded.push(flooded);
      floods.push(made);
      const [apart] = await Promise.all([slice(instance!, keys), flood(elsewhere!)]);
      seen.elsewhere.push(apart);
    }
    return rowsOf(seen, noteOf(floods));
  } finally {
    for (const flooder of flooders) await stopChild(flooder);
    for (const instance of running) await instance.stop();
    for (const dataDir of dataDirs) await removeDataDir(dataDir);
  }
}

function startFlooder({ port, sandboxKey }: Instance): ChildProcess {
  const path = new URL("./flood-run.ts", import.meta.url);
  return fork(path, [String(port), sandboxKey, String(otherPerSecond * times)]);
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

const rowsOf = (seen: Seen, note: string): Row[] =>
  (["accepted", "sent"] as const).flatMap((what) =>
    [0.5, 0.99].flatMap((share) => {
      const [without, here, elsewhere] = kinds.map((kind) => at(seen[kind], what, share));
      const compared = (figure: string, ms: number, to: number, atMost?: number): Row => {
        const ratio = Math.round((ms / to) * 100) / 100;
        const shown = `${ms.toFixed(1)} ms / ${to.toFixed(1)} ms; ${note}`;
        return limitRow(
          `others' time to ${what}, p${share * 100}, ${figure}`,
          "×",
          ratio,
          atMost,
          shown,
        );
      };
      const goal = share === 0.99 ? mostRatio : undefined;
      return [
        compared("with a flood / without", here!, without!, goal),
        compared("with the flood at another instance / without", elsewhere!, without!),
        compared("with a flood / with it at another instance", here!, elsewhere!, goal),
      ];
    }),
  );

function at(slices: readonly Slice[], what: keyof Slice, share: number): number {
  const all = slices.flatMap((each) => each[what]).toSorted((a, b) => a - b);
  return all[Math.min(all.length - 1, Math.floor(all.length * share))]!;
}

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
