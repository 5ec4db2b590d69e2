import type { ApiClient } from "@heliograph/testkit";
import type { Verdict } from "./verdict.ts";
import type { Stored } from "./log.ts";
import type { Tenant } from "./world.ts";

const micros = (text: string): bigint => {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(whole!) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
};

/** What became of the funds of one message. */
type Account = {
  readonly [
    Type in
      | "FundsHeld"
      | "FundsDeclined"
      | "FundsCaptured"
      | "FundsReleased"
      | "FundsRefunded"
      | "FundsKept"
  ]?: readonly string[];
};

/** 5: recomputed from the log alone, without the product's own ledger code. */
export async function checkFunds(
  tenant: Tenant,
  client: ApiClient,
  log: readonly Stored[],
  verdict: Verdict,
): Promise<void> {
  const accounts = new Map<string, Record<string, string[]>>();
  let available = 0n;
  let held = 0n;
  const where = `${tenant.partner} ${tenant.environment}`;
  for (const event of log.filter(({ stream }) => stream.startsWith("wallet-"))) {
    for (const entry of event.data.entries as { message_id?: string; amount: string }[]) {
      const amount = micros(entry.amount);
      if (
        event.type === "FundsToppedUp" ||
        event.type === "FundsReleased" ||
        event.type === "FundsRefunded"
      )
        available += amount;
      if (event.type === "FundsReleased" || event.type === "FundsCaptured") held -= amount;
      if (event.type === "FundsHeld") [available, held] = [available - amount, held + amount];
      if (entry.message_id === undefined) continue;
      const account = accounts.get(entry.message_id) ?? {};
      accounts.set(entry.message_id, account);
      (account[event.type] ??= []).push(entry.amount);
    }
    if (available < 0n || held < 0n)
      verdict.broken(5, `${where} is below zero at ${event.position}`);
    if (micros(event.data.available) !== available || micros(event.data.held) !== held)
      verdict.broken(
        5,
        `${where} says ${event.data.available} and ${event.data.held} at ${event.position}; the entries say ${available} and ${held}`,
      );
  }
  if (held !== 0n) verdict.broken(5, `${where} still holds ${held}`);
  const events = new Map<string, Stored[]>();
  for (const event of log)
    if (event.stream.startsWith("message-"))
      events.set(event.stream, [...(events.get(event.stream) ?? []), event]);
  for (const event of log) {
    if (event.type !== "MessageRequested") continue;
    const id = event.data.message_id as string;
    checkMessage(
      id,
      event.data.cost as string,
      accounts.get(id) ?? {},
      events.get(event.stream) ?? [],
      verdict,
    );
  }
  const proof = (await client.get("/wallet/proof")).body;
  if (proof.matches !== true)
    verdict.broken(5, `${where}: /wallet/proof says ${JSON.stringify(proof)}`);
  const balance = (await client.get("/balance")).body;
  if (micros(balance.available) !== available)
    verdict.broken(5, `${where}: /balance says ${balance.available}, the log ${available}`);
}

/** What a provider charges for although it failed is paid, sent or not, and is not given back. */
export function checkMessage(
  id: string,
  cost: string,
  account: Account,
  stream: readonly Pick<Stored, "type" | "data">[],
  verdict: Verdict,
): void {
  const events = stream.map(({ type }) => type);
  const billed = stream.some(({ data }) => data.error?.billable === true);
  const times = (type: keyof Account): number => account[type]?.length ?? 0;
  const shape = `${times("FundsHeld")} held, ${times("FundsDeclined")} declined, ${times("FundsCaptured")} captured, ${times("FundsReleased")} released, ${times("FundsRefunded")} refunded, ${times("FundsKept")} kept`;
  const say = (what: string): void =>
    verdict.broken(5, `${id} ${what} (${shape}; ${events.join(" ")})`);
  if (times("FundsHeld") + times("FundsDeclined") !== 1) say("was not decided once");
  if (times("FundsHeld") === 1 && times("FundsCaptured") + times("FundsReleased") !== 1)
    say("has a hold that was not resolved once");
  for (const amount of Object.values(account).flat())
    if (amount !== cost) say(`costs ${cost} but ${amount} was moved`);
  const sent = events.includes("MessageSent");
  const failed = events.includes("MessageFailed");
  if (sent && times("FundsCaptured") !== 1) say("was sent and not paid");
  const kept = times("FundsKept");
  if (!sent && times("FundsCaptured") !== kept) say("was paid and not sent");
  if (failed && times("FundsReleased") + times("FundsRefunded") + kept !== 1)
    say("failed and was neither given back nor kept once");
  if (kept > 0 && !billed) say("was kept, and no provider charges for it");
  if (!failed && times("FundsRefunded") > 0) say("was given back and did not fail");
  if (events.filter((type) => type === "MessageFailed").length > 1) say("failed twice");
}
