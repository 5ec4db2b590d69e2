import { randomBytes } from "node:crypto";
import { serveApi } from "@heliograph/api";
import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as ingress } from "@heliograph/ingress";
import { openPlatform, type Platform, startServices } from "@heliograph/platform";
import { loosely, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { count, range } from "./harness.ts";

/** Two instances of the API on one database, and two of the consumers that share their shards. */
let world: World;
let ports: readonly number[];
let second: Platform;
let sharing: Awaited<ReturnType<typeof startServices>>;
const services = [ingress, service, dispatch, delivery, control];
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    env: { HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex"), HELIOGRAPH_SHARDS: "4" },
  });
  const { settings, server } = world.platform;
  second = await openPlatform(settings, server, "given", pino({ level: "silent" }));
  closing.push(second.close);
  const serving = await serveApi({ ...second, environments: second.contexts }, services);
  closing.push(serving.stop);
  sharing = await startServices(second, services);
  closing.push(() => sharing.stop());
  ports = [world.port, serving.port];
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
  await world.close();
});

type TestPartner = World["partners"][number];
type Answer = { readonly status: number; readonly body: Record<string, never> };
async function at(
  port: number,
  { key }: TestPartner,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer["body"] };
}
const portOf = (number: number): number => ports[number % ports.length]!;
const walletOf = ({ id }: TestPartner) =>
  world.platform.contexts.sandbox.log.readStream(`wallet-${id.slice(4)}`, { limit: 10_000 });
const proofOf = async (partner: TestPartner) =>
  (await at(ports[0]!, partner, "GET", "/wallet/proof")).body;

/** How many shards of the sandbox's ledger run there. */
const ledgersIn = ({ running }: typeof sharing): number =>
  running
    .flatMap(({ statuses }) => statuses)
    .filter(
      ({ name, state, environment }) =>
        name.startsWith("wallet-ledger/") && state === "running" && environment === "sandbox",
    ).length;

test("a key that one instance made is good at the other one at once", async () => {
  for (let number = 0; number < 10; number++) {
    const partner = await world.addPartner({});
    const { status } = await at(ports[1]!, partner, "GET", "/balance");
    expect(status).toBe(200);
  }
});

test("100 sends at once over two instances, on funds for 50: 50 are paid, 50 are refused or rejected, and nothing is charged for these", async () => {
  const partner = await world.addPartner({ funds: "0.395" });
  const sms = { channel: "sms", to: "+15551230001", text: "hello" };
  const answers = await Promise.all(
    range(100).map((number) => at(portOf(number), partner, "POST", "/messages", sms)),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  const refused = answers.filter(({ status }) => status === 402);
  expect(accepted.length + refused.length).toBe(100);
  expect(accepted.length).toBeGreaterThanOrEqual(50);
  expect(new Set(refused.map(({ body }) => body["code"]))).toEqual(
    new Set(refused.length > 0 ? ["insufficient_funds"] : []),
  );
  await until(async () => {
    const events = await walletOf(partner);
    return count(events, "FundsCaptured") + count(events, "FundsDeclined") === accepted.length;
  });
  const events = await walletOf(partner);
  expect(count(events, "FundsHeld")).toBe(50);
  expect(count(events, "FundsCaptured")).toBe(50);
  expect(await proofOf(partner)).toMatchObject({ matches: true, balance: "0", held: "0" });
  const statuses = await until(async () => {
    const found = await Promise.all(
      accepted.map(({ body }) => at(ports[1]!, partner, "GET", `/messages/${body["id"]}`)),
    );
    const rejected = found.filter(({ body }) => body["status"] === "rejected");
    return rejected.length === accepted.length - 50 && rejected;
  });
  for (const { body } of statuses)
    expect(body["error"]).toMatchObject({ code: "insufficient_funds" });
});

test("Wallets whose shards move to another instance, while it decides and when it leaves, hold for each message once, and no more than their funds", async () => {
  const partners = await Promise.all(range(3).map(() => world.addPartner({ funds: "0.079" })));
  for (const partner of partners)
    await until(async () => (await at(ports[1]!, partner, "GET", "/balance")).status === 200);
  const sms = { channel: "sms", to: "+15551230001", text: "hello" };
  const accepted = new Map(partners.map((partner) => [partner, 0]));
  const send = async (number: number): Promise<void> => {
    const partner = partners[number % partners.length]!;
    const { status } = await at(portOf(number), partner, "POST", "/messages", sms);
    expect([202, 402]).toContain(status);
    if (status === 202) accepted.set(partner, accepted.get(partner)! + 1);
  };
  const some = range(36).map(send);
  await sharing.stop();
  const more = range(18).map(send);
  sharing = await startServices(second, services);
  await Promise.all([...some, ...more]);
  for (const partner of partners) {
    await until(async () => {
      const events = await walletOf(partner);
      const decided = count(events, "FundsCaptured") + count(events, "FundsDeclined");
      return decided === accepted.get(partner);
    });
    const events = await walletOf(partner);
    expect(count(events, "FundsHeld")).toBe(10);
    const entries = events.flatMap(({ type, data }) => (type === "FundsHeld" ? data.entries : []));
    expect(new Set(entries.map(({ message_id }) => message_id)).size).toBe(10);
    expect(await proofOf(partner)).toMatchObject({ matches: true, balance: "0", held: "0" });
  }
  await until(() => ledgersIn(sharing) === 2, { what: "each instance has half of the shards" });
});

test("60 sends at once over two instances, on a day's spending for 20: 20 are paid, and nothing is charged for the others, however many were accepted", async () => {
  const partner = await world.addPartner({ funds: "10" });
  const spend_limit_day = "0.158";
  const limited = await at(ports[0]!, partner, "PUT", "/wallet/settings", { spend_limit_day });
  expect(limited.status).toBe(200);
  const sms = { channel: "sms", to: "+15551230001", text: "hello" };
  const answers = await Promise.all(
    range(60).map((number) => at(portOf(number), partner, "POST", "/messages", sms)),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted.length).toBeGreaterThanOrEqual(20);
  for (const { status, body } of answers)
    if (status !== 202) expect([status, body["code"]]).toEqual([402, "spend_limit_reached"]);
  await until(async () => {
    const events = await walletOf(partner);
    return count(events, "FundsCaptured") + count(events, "FundsDeclined") === accepted.length;
  });
  expect(count(await walletOf(partner), "FundsCaptured")).toBe(20);
  expect(await proofOf(partner)).toMatchObject({ matches: true, balance: "9.842", held: "0" });
  expect((await at(ports[1]!, partner, "POST", "/messages", sms)).status).toBe(402);
});

test("50 top-ups at once over two instances, ten keys of them repeated, on a wallet that never had any", async () => {
  const { id } = await world.addPartner();
  // Its live wallet: no event yet.
  const partner = { id, key: await world.addKey(id, { environment: "live" }) };
  const operator = await world.addPartner();
  const scopes = ["admin", "*"];
  const admin = { id, key: await world.addKey(operator.id, { environment: "live", scopes }) };
  expect((await at(ports[0]!, partner, "GET", "/balance")).body["available"]).toBe("0");
  const topUp = (number: number, key: number) =>
    at(
      portOf(number),
      admin,
      "POST",
      "/wallet/topups",
      { amount: "0.01", partner_id: id, environment: "live" },
      { "idempotency-key": `topup-${key}` },
    );
  // A repetition that comes while the first one runs is told to wait, and then answered as that was.
  const untilAnswered = async (number: number, key: number): Promise<Answer> =>
    until(async () => {
      const answer = await topUp(number, key);
      return answer.status !== 409 && answer;
    });
  const all = [...range(50), ...range(10)];
  const answers = await Promise.all(all.map((key, number) => untilAnswered(number, key)));
  expect(answers.map(({ status }) => status)).toEqual(all.map(() => 201));
  for (const key of range(10)) expect(answers[50 + key]!.body).toEqual(answers[key]!.body);
  const path = "/wallet/transactions?kind=topup&limit=100";
  const { body } = await at(ports[0]!, partner, "GET", path);
  const rows: { amount: string; balance_after: string }[] = loosely(body).data.toReversed();
  expect(rows).toHaveLength(50);
  for (const [index, row] of rows.entries())
    expect([row.amount, Number(row.balance_after)]).toEqual(["0.01", (index + 1) / 100]);
  expect(await proofOf(partner)).toMatchObject({ matches: true, balance: "0.5" });
});

test("tables that come back empty are not read as no funds, nor as unlimited ones", async () => {
  const partner = await world.addPartner({ funds: "0.0158" });
  await world.platform.contexts.sandbox.pool.query("truncate wallet.wallets, wallet.holds");
  const sms = { channel: "sms", to: "+15551230001", text: "hello" };
  const sent = [];
  for (const number of range(3))
    sent.push((await at(portOf(number), partner, "POST", "/messages", sms)).status);
  expect(sent.slice(0, 2)).toEqual([202, 202]);
  await until(async () => count(await walletOf(partner), "FundsCaptured") === 2);
  expect(await proofOf(partner)).toMatchObject({ matches: true, balance: "0", held: "0" });
  expect((await at(ports[0]!, partner, "POST", "/messages", sms)).status).toBe(402);
});
