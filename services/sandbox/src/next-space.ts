import { deterministicId, streamOf, uuid5 } from "@heliograph/contracts";
import { restoreRaise, walletName } from "@heliograph/domain";
import type { Append, EventLog, NewEvent } from "@heliograph/log";

type Reset = {
  /** The sandbox's log. */
  readonly log: EventLog;
  /** What the partner's data is named by, and what it will be named by. */
  readonly from: string;
  readonly to: string;
  /** The partner's own first, then the others in which it can have a wallet. */
  readonly currencies: readonly string[];
  readonly at: string;
  readonly actor: string;
};

/**
 * Furnishes the space that a sandbox gets: its opening funds, the settings of its wallets, and numbers of the feed that go on behind all that were given. Before the reset, so that nobody ever sees
 * a space without them; ids follow from the space and from what is carried over, so that doing it again changes nothing.
 */
export async function furnish(reset: Reset): Promise<void> {
  const appends = (
    await Promise.all([openingFunds(reset), raisedFeed(reset), ...carriedTerms(reset)])
  ).filter((append) => append !== undefined);
  for (const [index, outcome] of (await reset.log.append(appends)).entries())
    if (outcome.kind === "invalid")
      throw new Error(`${appends[index]!.stream}: ${outcome.message}`);
}

/** What the wallet was opened with: its first event, where that brought funds. */
async function openingFunds({ log, from, to, actor }: Reset): Promise<Append | undefined> {
  const [first] = await log.readStream(streamOf("wallet", from), { limit: 1 });
  if (first?.type !== "FundsToppedUp") return undefined;
  const { available, currency, entries } = first.data;
  const { reference } = entries[0]!;
  const transaction_id = deterministicId("wtx", "reset", to);
  const entry = {
    transaction_id,
    amount: available,
    ...(reference !== undefined && { reference }),
  };
  return {
    stream: streamOf("wallet", to),
    expected: "no_stream",
    events: [
      {
        id: uuid5("reset", to, "funds"),
        type: "FundsToppedUp",
        data: { covers: "0", available, held: "0", currency, entries: [entry] },
        metadata: { partner: to, actor },
      },
    ],
  };
}

async function raisedFeed({ log, from, to, at, actor }: Reset): Promise<Append> {
  let raised_by = restoreRaise;
  for await (const event of log.scanStream(streamOf("feed", from)))
    if (event.type === "SequenceRaised") raised_by += event.data.raised_by;
  return {
    stream: streamOf("feed", to),
    expected: "any",
    events: [
      {
        id: uuid5("reset", to, "feed", String(raised_by)),
        type: "SequenceRaised",
        data: { partner_id: to, raised_by, at },
        metadata: { partner: to, actor },
      },
    ],
  };
}

const carriedTerms = ({ log, from, to, currencies, actor }: Reset) =>
  currencies.map(async (currency): Promise<Append | undefined> => {
    const nameOf = (partner_id: string) =>
      walletName({ partner_id, currency: currencies[0]! }, currency);
    const newest = { backwards: true, limit: 1 };
    const [last] = await log.readStream(streamOf("terms", nameOf(from)), newest);
    if (last === undefined) return undefined;
    const event: NewEvent = {
      id: uuid5("reset", to, last.id),
      type: "WalletTermsSet",
      data: { ...last.data, partner_id: to },
      metadata: { partner: to, actor },
    };
    return { stream: streamOf("terms", nameOf(to)), expected: "any", events: [event] };
  });
