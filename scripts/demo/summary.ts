import type { Api } from "./api.ts";
import { cases, isCharged } from "./cases.ts";
import type { Life } from "./life.ts";
import { sayTable } from "../shared/table.ts";
import { paint, say } from "./view.ts";

type Reached = {
  readonly status: string;
  readonly cost: string;
  readonly cost_estimate: string;
  readonly currency: string;
};
type Proof = { readonly matches: boolean; readonly balance: string; readonly entries: number };

/** Asks for the last word on every message, shows the table, and gives true when all is as expected. */
export async function summarise(demo: {
  readonly api: Api;
  readonly lives: readonly Life[];
  readonly refused: ReadonlyMap<string, string>;
  /** By the id of the event, when its webhook arrived and was verified; undefined when none can arrive. */
  readonly webhooks: ReadonlyMap<string, number> | undefined;
  readonly problems: readonly string[];
}): Promise<boolean> {
  const { api, lives, refused, webhooks } = demo;
  const rows = [["", "message", "expected", "reached", "cost", "webhooks", "took"]];
  let wrong = 0;
  for (const item of cases) {
    const life = lives.find((candidate) => candidate.case === item);
    const row = life === undefined ? refusal(item.name) : await lastWord(life);
    const ok = row.ok && row.reached === item.expected;
    if (!ok) wrong += 1;
    const { reached, cost, hooks, took } = row;
    rows.push([ok ? "✓" : "✗", item.name, item.expected, reached, cost, hooks, took]);
  }
  say("");
  sayTable(rows, "  ");
  const { body: proof, status } = await api.call<Proof>("GET", "/wallet/proof");
  const proven = status === 200 && proof.matches;
  say(
    proven
      ? `\nThe wallet, recomputed from ${proof.entries} ledger entries of the log, matches: ${proof.balance} available.`
      : paint("red", `\nThe wallet's proof was answered ${status}: ${JSON.stringify(proof)}`),
  );
  for (const problem of demo.problems) say(paint("red", problem));
  const good = wrong === 0 && proven && demo.problems.length === 0;
  say(
    good
      ? paint("green", `All ${cases.length} outcomes are as expected.`)
      : paint("red", `${cases.length - wrong} of ${cases.length} outcomes are as expected.`),
  );
  return good;

  function refusal(name: string) {
    const code = refused.get(name);
    return {
      ok: code === "recipient_suppressed",
      reached: "refused",
      cost: "0",
      hooks: "-",
      took: "-",
    };
  }

  async function lastWord(life: Life) {
    const path = `/messages/${life.id}`;
    const message = await api.need<Reached>("GET", path);
    const events = [...life.feed.values()];
    const count = events.filter((event) => webhooks?.has(event.id)).length;
    const due = isCharged(life.case.expected) ? message.cost_estimate : "0";
    return {
      ok: life.endedAtMs !== undefined && message.cost === due,
      reached: message.status,
      cost: message.cost === "0" ? "0" : `${message.cost} ${message.currency}`,
      hooks: webhooks === undefined ? "-" : `${count}/${events.length}`,
      took: life.endedAtMs === undefined ? "no end" : tookText(life),
    };
  }
}

const tookText = ({ endedAtMs, sentAtMs }: Life): string =>
  `${((endedAtMs! - sentAtMs) / 1000).toFixed(1)} s`;
