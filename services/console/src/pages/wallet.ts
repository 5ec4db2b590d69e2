import { hasScope } from "@heliograph/api";
import { randomUUID } from "node:crypto";
import { html, type Html } from "@heliograph/html";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { Balance, Entry, List, Statement } from "../shapes.ts";
import {
  bdi,
  curl,
  empty,
  facts,
  field,
  hidden,
  money,
  pages,
  pill,
  table,
  time,
  type Column,
} from "../view/parts.ts";

type Proof = {
  readonly position: string;
  readonly entries: number;
  readonly debits: string;
  readonly credits: string;
  readonly balance: string;
  readonly matches: boolean;
  readonly mismatch?: string;
};

const monthOf = (now: Date): string => now.toISOString().slice(0, 7);

const about = ({ message_id, reference, reason }: Entry): Html =>
  html`${message_id !== undefined && html`<a href="${base}/messages/${message_id}">message</a> `}${(reference ?? reason) !== undefined && bdi(reference ?? reason)}`;

const columns: readonly Column<Entry>[] = [
  { label: "When", cell: ({ created_at }) => time(created_at) },
  { label: "Kind", cell: ({ kind }) => pill(kind) },
  { label: "Amount", figures: true, cell: ({ amount, currency }) => money(amount, currency) },
  {
    label: "Available after",
    figures: true,
    cell: ({ balance_after, currency }) => money(balance_after, currency),
  },
  { label: "About", cell: about },
];

const topUp = (visit: Visit, { currency }: Balance): Html =>
  html`<section aria-labelledby="top-up"><h2 id="top-up">Top up the sandbox</h2>
<form class="sheet inline" method="post" action="${base}/wallet/top-up">${hidden(visit)}<input type="hidden" name="key" value="${randomUUID()}">
${field({ name: "amount", label: `Amount in ${currency}`, value: "100", required: true, hint: "Play money: take what you need." })}
<div class="actions"><button class="main" type="submit">Top up</button></div></form></section>`;

async function wallet(visit: Visit): Promise<Shown> {
  const { api, query, environment, who } = visit;
  const kind = query.text("kind");
  const [balance, moves, proof] = await Promise.all([
    api.get<Balance>("/balance"),
    api.get<List<Entry>>("/wallet/transactions", {
      kind,
      after: query.text("after"),
      before: query.text("before"),
      limit: 25,
    }),
    api.get<Proof>("/wallet/proof"),
  ]);
  const month = monthOf(new Date());
  return shown(
    "Wallet",
    html`<dl class="figures-row">
<div class="figure"><dt>Available</dt><dd>${money(balance.available, balance.currency)}</dd><dd class="hint">as of position ${balance.as_of_position}</dd></div>
<div class="figure"><dt>Held</dt><dd>${money(balance.held, balance.currency)}</dd><dd class="hint">for messages on their way; given back where they fail</dd></div>
<div class="figure"><dt>Proof</dt><dd>${proof.matches ? html`<span class="pill good">it adds up</span>` : html`<span class="pill bad">it does not</span>`}</dd><dd class="hint">${proof.matches ? `${proof.entries} entries read again from the log: debits and credits are ${proof.debits} each` : (proof.mismatch ?? "")}</dd></div>
</dl>
<p><a href="${base}/wallet/statements/${month}">Statement of ${month}</a></p>
${environment === "sandbox" && hasScope(who.scopes, "wallet:write") && topUp(visit, balance)}
<section aria-labelledby="moves"><h2 id="moves">Transactions</h2>
<form class="filters" method="get" action="${base}/wallet">${field({ name: "kind", label: "Kind", value: kind, options: [["", "any"], ...["topup", "hold", "capture", "release", "refund", "adjustment"].map((name) => [name, name] as const)] })}<div class="actions"><button type="submit">Filter</button></div></form>
${moves.data.length === 0 ? empty("Nothing moved", "What a message costs is held when it is accepted, taken when a provider has it, and given back where it fails. Each of these is a line here.") : table("Transactions, newest first", columns, moves.data)}
${pages(`${base}/wallet`, { kind }, moves)}</section>
${curl(visit, "GET", "/wallet/transactions")}`,
  );
}

async function add({ api, form }: Visit): Promise<Led> {
  const body = { amount: form.text("amount"), reference: "console" };
  const made = await api.send<Balance>("POST", "/wallet/topups", {
    body,
    key: form.text("key") || randomUUID(),
  });
  return { to: `${base}/wallet`, told: `Topped up: ${form.text("amount")} ${made.currency}.` };
}

async function statement(visit: Visit): Promise<Shown> {
  const month = visit.params["month"]!;
  const found = await visit.api.get<Statement>(`/wallet/statements/${encodeURIComponent(month)}`);
  const { opening, closing, currency, entries } = found;
  return shown(
    `Statement of ${found.month}`,
    html`${facts([
      ["At the beginning", money(opening, currency)],
      ["At the end", money(closing, currency)],
      ["Entries", entries.length],
    ])}
${
  entries.length === 0
    ? empty("Nothing moved in this month", html`<a href="${base}/wallet">Back to the wallet</a>`)
    : table(
        `Entries of ${found.month}`,
        [
          columns[0]!,
          columns[1]!,
          { label: "Change", figures: true, cell: ({ change }) => money(change, currency) },
          {
            label: "Change of what is held",
            figures: true,
            cell: ({ held_change }) => money(held_change, currency),
          },
          columns[3]!,
          columns[4]!,
        ] as readonly Column<Statement["entries"][number]>[],
        entries,
      )
}
${curl(visit, "GET", `/wallet/statements/${found.month}?format=csv`)}`,
  );
}

export const walletPages: readonly Page[] = [
  { method: "GET", path: "/wallet", section: "/wallet", answer: wallet },
  { method: "POST", path: "/wallet/top-up", section: "/wallet", answer: add },
  { method: "GET", path: "/wallet/statements/:month", section: "/wallet", answer: statement },
];
