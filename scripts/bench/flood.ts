import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { startMeasured } from "./instance.ts";
import { drive, postRequest, type LoadResult } from "./load.ts";
import { limitRow, type Row } from "./row.ts";

/** The victim sends so many messages a second; the flooder fifty times as many. */
const victimPerSecond = 10;
const times = 50;
const sliceMs = 10_000;
const rounds = 4;
/** Nobody else's p99 moves by more. */
const mostRatio = 1.2;

/**
 * What a partner who floods does to another one: the victim's time to a durable 202, and to `sent` (`Prefer: wait`), without and with a flood of fifty times its rate, slices taking turns in
 * one run. The whole product in one process, so both share the ingress's append queue, the wallet, and dispatch.
 */
export async function benchFlood(): Promise<Row[]> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir);
  try {
    const victim = await makeVictim(instance);
    const flooder = instance.sandboxKey;
    const quiet: Slice[] = [];
    const flooded: Slice[] = [];
    await Promise.all([slice(instance, victim), flood(instance, flooder)]);
    let floods = 0;
    for (let round = 0; round < rounds; round++) {
      quiet.push(await slice(instance, victim));
      const [seen, made] = await Promise.all([slice(instance, victim), flood(instance, flooder)]);
      flooded.push(seen);
      floods += (made.statuses["202"] ?? 0) / made.seconds / rounds;
    }
    const note = `the flood: ${Math.round(floods)} accepted/s against ${victimPerSecond}/s`;
    return (["accepted", "sent"] as const).flatMap((what) => {
      const of = (slices: readonly Slice[], share: number): number => {
        const all = slices.flatMap((each) => each[what].times).toSorted((a, b) => a - b);
        return all[Math.min(all.length - 1, Math.floor(all.length * share))]!;
      };
      return [0.5, 0.99].map((share) => {
        const [without, with_] = [of(quiet, share), of(flooded, share)];
        const ratio = Math.round((with_ / without) * 100) / 100;
        const figure = `victim's time to ${what}, p${share * 100}, with a flood / without`;
        const shown = `${with_.toFixed(1)} ms / ${without.toFixed(1)} ms; ${note}`;
        return limitRow(figure, "×", ratio, share === 0.99 ? mostRatio : undefined, shown);
      });
    });
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
  }
}

type Slice = { readonly accepted: LoadResult; readonly sent: LoadResult };

/** One second's messages of the victim: half of them wait until they are sent. */
async function slice({ port }: Instance, key: string): Promise<Slice> {
  const load = (headers: Readonly<Record<string, string>>) =>
    drive(
      { host: "127.0.0.1", port, connections: 16, request: (n) => sms(key, n, headers) },
      { durationMs: sliceMs, ratePerSecond: victimPerSecond / 2 },
    );
  const [accepted, sent] = await Promise.all([load({}), load({ prefer: "wait=30" })]);
  for (const { statuses } of [accepted, sent])
    if (Object.keys(statuses).some((status) => status !== "202" && status !== "200"))
      throw new Error(`answers to the victim: ${JSON.stringify(statuses)}`);
  return { accepted, sent };
}

const flood = ({ port }: Instance, key: string): Promise<LoadResult> =>
  drive(
    { host: "127.0.0.1", port, connections: 64, request: (n) => sms(key, n, {}) },
    { durationMs: sliceMs, ratePerSecond: victimPerSecond * times },
  );

const sms = (key: string, n: number, headers: Readonly<Record<string, string>>): string =>
  postRequest(
    "127.0.0.1",
    "/api/v1/messages",
    { authorization: `Bearer ${key}`, ...headers },
    JSON.stringify({
      channel: "sms",
      to: `+1555${String(2_001_000 + (n % 5_000))}`,
      text: "Your order is on its way.",
    }),
  );

async function makeVictim({ baseUrl, adminKey }: Instance): Promise<string> {
  const post = async (path: string, key: string, body: object) => {
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const partner = (await post("/admin/partners", adminKey, {
    name: "Victim",
    rate_limit: 1_000,
  })) as { readonly keys: { readonly sandbox: string } };
  await post("/wallet/topups", partner.keys.sandbox, { amount: "1000" });
  return partner.keys.sandbox;
}
