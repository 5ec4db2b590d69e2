import type { Environment } from "@heliograph/contracts";
import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { startMeasured } from "./instance.ts";
import { fillPeople, type Filled } from "./people-fill.ts";
import { limitRow, type Row } from "./row.ts";

/** Answers that agents wait for. */
const goalMs = 50;
const calls = 400;

/** Lists, searches, history and sync of one partner with many contacts: 95 of 100 answers within 50 ms. */
export async function benchPeople(): Promise<Row[]> {
  const contacts = Number(process.env["HELIOGRAPH_BENCH_PEOPLE"] ?? 100_000);
  const dataDir = newDataDir();
  // What answers, and what its answers come from: nothing that would send or sign for the two messages of each contact.
  const instance = await startMeasured(dataDir, {
    HELIOGRAPH_SERVICES: "ingress,delivery,contacts,conversations,agents,mobile,control,operations",
  });
  try {
    const partner = await partnerOf(instance);
    const started = performance.now();
    const filled = await fillPeople(instance, dataDir, partner, contacts);
    await caughtUp(instance);
    const seconds = (performance.now() - started) / 1000;
    const token = await signIn(instance);
    const rows: Row[] = [];
    for (const [figure, path, key] of asked(filled, instance, token))
      rows.push(await measure(instance, figure, path, key, filled, seconds));
    return rows;
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
  }
}

type Asked = readonly [figure: string, path: (call: number) => string, key: string];
function asked({ contacts, busiest }: Filled, instance: Instance, token: string): readonly Asked[] {
  const key = instance.sandboxKey!;
  const someone = (call: number): number => (call * 7_919) % contacts;
  return [
    ["contacts: a page", () => "/contacts?limit=25", key],
    ["contacts: search by a part of a name", (call) => `/contacts?q=nunez%20${someone(call)}`, key],
    [
      "contacts: search by a part of a number",
      (call) => `/contacts?q=${1_000_000 + someone(call)}`,
      key,
    ],
    ["contacts: by tag", (call) => `/contacts?tag=t${call % 100}`, key],
    [
      "contacts: by external id",
      (call) => `/contacts/by-external-id/sms/%2B1555${1_000_000 + someone(call)}`,
      key,
    ],
    ["conversations: a page", () => "/conversations?status=open&limit=25", key],
    ["history of a contact", () => `/contacts/${busiest}/messages`, key],
    ["mobile sync: a page", (call) => `/mobile/sync?after=${call * 100}`, token],
  ];
}

async function measure(
  instance: Instance,
  figure: string,
  path: (call: number) => string,
  key: string,
  { contacts, messages }: Filled,
  fillSeconds: number,
): Promise<Row> {
  const times: number[] = [];
  for (let call = 0; call < calls; call++) {
    const started = performance.now();
    const answer = await fetch(`${instance.baseUrl}/api/v1${path(call)}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${path(call)}: ${answer.status} ${text}`);
    times.push(performance.now() - started);
  }
  times.sort((left, right) => left - right);
  const at = (share: number): number => Math.round(times[Math.floor(calls * share)]! * 10) / 10;
  const note = `p50 ${at(0.5)} ms; ${contacts} contacts, ${messages} messages, filled and projected in ${Math.round(fillSeconds)} s`;
  return limitRow(`${figure}, p95`, "ms", at(0.95), goalMs, note);
}

/** Of the demo partner's sandbox key. */
export async function partnerOf({ baseUrl, adminKey }: Instance): Promise<string> {
  const answer = await fetch(`${baseUrl}/api/v1/admin/partners`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });
  const { data } = (await answer.json()) as { data: readonly { id: string; name: string }[] };
  return data.find(({ name }) => name === "Demo")!.id;
}

async function signIn({ baseUrl, agent }: Instance): Promise<string> {
  const answer = await fetch(`${baseUrl}/api/v1/mobile/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...agent,
      environment: "sandbox",
      device: { name: "bench", platform: "web" },
    }),
  });
  const body = (await answer.json()) as { access_token: string };
  if (answer.status !== 201) throw new Error(JSON.stringify(body));
  return body.access_token;
}

/** Every read model of an environment has seen all that there is. */
export async function caughtUp(
  { baseUrl, adminKey }: Instance,
  wanted: Environment = "sandbox",
): Promise<void> {
  for (;;) {
    await sleep(1_000);
    const answer = await fetch(`${baseUrl}/api/v1/admin/projections`, {
      headers: { authorization: `Bearer ${adminKey}` },
    });
    const { data } = (await answer.json()) as {
      data: readonly { environment: string; lag_events: number; status: string }[];
    };
    if (data.every(({ environment, lag_events }) => environment !== wanted || lag_events === 0))
      return;
  }
}
