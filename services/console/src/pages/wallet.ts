import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Handed, type Led, type Page, type Shown, type Visit } from "../page.ts";
import type { Balance, Entry, List, Statement } from "../shapes.ts";
import { act, typed } from "../view/acts.ts";
import { acted } from "../view/forms.ts";
import {
  bdi,
  curl,
  curls,
  empty,
  facts,
  field,
  money,
  pages,
  pill,
  position,
  refusal,
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
${act(visit, "/wallet/top-up", field({ name: "amount", label: `Amount in ${currency}`, value: typed(visit, "amount", "100"), required: true, hint: "Play money: take what you need." }), "Top up", { look: "sheet inline" })}</section>`;

/** The month before one, as `2026-05`. */
const monthBefore = (month: string): string => {
  const at = new Date(`${month}-01T00:00:00Z`);
  at.setUTCMonth(at.getUTCMonth() - 1);
  return monthOf(at);
};

/** Any month, and the two that are asked for most. */
const statements = (value: string): Html => {
  const now = monthOf(new Date());
  const links = [now, monthBefore(now)].map(
    (month) => html`<a href="${base}/wallet/statements/${month}">${month}</a>`,
  );
  return html`<section aria-labelledby="statements"><h2 id="statements">Statements</h2>
<form class="filters" method="get" action="${base}/wallet/statements">${field({ name: "month", label: "Month", value, type: "month", required: true })}<div class="actions"><button type="submit">Show the statement</button></div></form>
<p class="hint">Such as ${links[0]} or ${links[1]}. Months end in UTC.</p></section>`;
};

async function wallet(visit: Visit, problem?: Problem): Promise<Shown> {
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
  const mayTopUp = environment === "sandbox" && hasScope(who.scopes, "wallet:write");
  return shown(
    "Wallet",
    html`${problem !== undefined && refusal(problem)}<dl class="figures-row">
<div class="figure"><dt>Available</dt><dd>${money(balance.available, balance.currency)}</dd><dd class="hint">as of ${position(balance.as_of_position)}</dd></div>
<div class="figure"><dt>Held</dt><dd>${money(balance.held, balance.currency)}</dd><dd class="hint">for messages on their way; given back where they fail</dd></div>
<div class="figure"><dt>Proof</dt><dd>${proof.matches ? html`<span class="pill good">it adds up</span>` : html`<span class="pill bad">it does not</span>`}</dd><dd class="hint">${proof.matches ? `${proof.entries} entries read again from the log: debits and credits are ${proof.debits} each` : (proof.mismatch ?? "")}</dd></div>
</dl>
${mayTopUp && topUp(visit, balance)}
${statements(monthOf(new Date()))}
<section aria-labelledby="moves"><h2 id="moves">Transactions</h2>
<form class="filters" method="get" action="${base}/wallet">${field({ name: "kind", label: "Kind", value: kind, options: [["", "any"], ...["topup", "hold", "capture", "release", "refund", "adjustment"].map((name) => [name, name] as const)] })}<div class="actions"><button type="submit">Filter</button></div></form>
${moves.data.length === 0 ? empty("Nothing moved", "What a message costs is held when it is accepted, taken when a provider has it, and given back where it fails. Each of these is a line here.") : table("Transactions, newest first", columns, moves.data)}
${pages(`${base}/wallet`, { kind }, moves)}</section>
${curls(visit, [
  ["Transactions", "GET", "/wallet/transactions"],
  ...(mayTopUp ? ([["Top up", "POST", "/wallet/topups", { amount: "100" }]] as const) : []),
])}`,
    problem?.status,
  );
}

const add = (visit: Visit): Promise<Led | Shown> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const body = { amount: form.text("amount"), reference: "console" };
      const made = await api.send<Balance>("POST", "/wallet/topups", { body, key });
      return { to: `${base}/wallet`, told: `Topped up: ${form.text("amount")} ${made.currency}.` };
    },
    (problem) => wallet(visit, problem),
  );

const monthAsked = async ({ query }: Visit): Promise<Led> => ({
  to: `${base}/wallet/statements/${encodeURIComponent(query.text("month") || monthOf(new Date()))}`,
});

/** A page of more holds the process and the browser; the file has them all. */
const mostEntries = 500;

const statementApi = ({ params }: Visit): string =>
  `/wallet/statements/${encodeURIComponent(params["month"]!)}`;

async function statement(visit: Visit): Promise<Shown> {
  try {
    const query = { limit: mostEntries };
    return written(visit, await visit.api.get<Statement>(statementApi(visit), query));
  } catch (error) {
    // Another month can be asked for where this is none, or has not begun.
    if (!(error instanceof Refused) || ![404, 422].includes(error.problem.status)) throw error;
    const { problem } = error;
    const again = statements(visit.params["month"]!);
    return shown("Statement", html`${refusal(problem)}${again}`, problem.status);
  }
}

function written(visit: Visit, found: Statement): Shown {
  const { opening, closing, currency, entries, month, more } = found;
  // Before the first entry of a wallet there is nothing to go back to.
  const began = entries.length > 0 || Number(opening) !== 0;
  return shown(
    `Statement of ${found.month}`,
    html`<p class="bar"><a download href="${base}/wallet/statements/${month}/statement.csv">Download as CSV</a>${began && html`<a href="${base}/wallet/statements/${monthBefore(month)}" rel="prev">The month before</a>`}<a href="${base}/wallet">Wallet</a></p>
${facts([
  ["At the beginning", money(opening, currency)],
  ["At the end", money(closing, currency)],
  [
    "Entries",
    more === true
      ? html`more than ${entries.length}: these are the first, the CSV has all`
      : entries.length,
  ],
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

const csv = async (visit: Visit): Promise<Handed> => ({
  file: await visit.api.download(statementApi(visit), { format: "csv" }),
});

export const walletPages: readonly Page[] = [
  { method: "GET", path: "/wallet", section: "/wallet", answer: (visit) => wallet(visit) },
  { method: "POST", path: "/wallet/top-up", section: "/wallet", answer: add },
  { method: "GET", path: "/wallet/statements", section: "/wallet", answer: monthAsked },
  { method: "GET", path: "/wallet/statements/:month", section: "/wallet", answer: statement },
  {
    method: "GET",
    path: "/wallet/statements/:month/statement.csv",
    section: "/wallet",
    answer: csv,
  },
];
