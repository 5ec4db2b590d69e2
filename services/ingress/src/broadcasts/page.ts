import { machinery } from "@heliograph/api";
import { failpoint, streamOf } from "@heliograph/contracts";
import type { TemplateAt } from "@heliograph/domain";
import type { ServiceContext, WritePart } from "@heliograph/runtime";
import type { Item, Settled } from "../messages/item.ts";
import { requireGateway } from "../messages/refusals.ts";
import type { Sender } from "../messages/sender.ts";
import type { Created } from "./decide.ts";
import { readPeople } from "./people.ts";
import { type Said, ownVariables, templateOf } from "./personal.ts";
import {
  type Job,
  type NewRecipient,
  type Recipient,
  type Skipped,
  pageParts,
} from "../tables/fan-out.ts";
import { keyPartsOf, messageIdOf, priority, type Sends } from "./sends.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/**
 * Of a page so many are sent at once where others send too: each is some 1 ms of processors all the way to its provider, and who comes in between waits for what is under way in each room
 * that he passes.
 */
const besideOthers = 4;
/** A page of more is a crowd, behind which the next one comes at once or in a moment. What `per_second` makes shorter, below some 50, leaves the log's flushes to wait for company as ever. */
const fewestOfCrowd = 3 * besideOthers;

type Stop = Exclude<Verdict, { readonly kind: "skip" }>;
export type PageResult = {
  readonly parts: readonly WritePart[];
  readonly accepted: number;
  /** Why those that are left are not sent now. */
  readonly stop?: Stop | undefined;
};

type Page = {
  readonly context: ServiceContext;
  readonly sends: Sends;
  readonly sender: Sender;
  readonly job: Job;
  /** What each of them is sent. */
  readonly send: Created["send"];
  /** Leaves the process to others for as long as it was taken. */
  readonly rest: () => Promise<void>;
  readonly signal: AbortSignal;
};

/** Accepts the messages of some recipients, and gives what is to be written of it. What was accepted before is recognised by its id. */
export async function sendPage(page: Page, rows: readonly Recipient[]): Promise<PageResult> {
  const { context, job, sender, send } = page;
  const { channel } = send;
  const { templates } = page.sends.sending;
  let template: TemplateAt | undefined;
  try {
    const gateways = context.directory.gateways(context.environment, channel);
    requireGateway(gateways, channel, job.partner, "");
    template = await templateOf(templates, sender.account, send);
  } catch (error) {
    return { parts: [], accepted: 0, stop: stopOf(machinery(error) ?? error) };
  }
  const found = await lookUp(page, template, rows);
  const own = ownVariables(send);
  const items = found.ready.map(({ row, to, said }): Item => ({
    body: { ...said, to, priority },
    // It is for somebody, whose erasure ends what waits.
    personal: true,
    keyParts: keyPartsOf(job.id, row),
    // Whatever address the contact has by then: it is the same message.
    asked: { broadcast: job.id, contact: row.contact_id },
  }));
  const ids = found.ready.map(({ row }) => row.message_id);
  const { settled, failure } = await sendSome(page, items, ids);
  await failpoint("broadcasts.sent");
  const accepted = [...found.sent];
  const skipped = [...found.skipped];
  let stop = failure;
  for (const [index, result] of settled.entries()) {
    const { message_id } = found.ready[index]!.row;
    if (result.kind === "sent") accepted.push(message_id);
    else {
      const verdict = verdictOf(result.error, own);
      if (verdict.kind === "skip") skipped.push({ message_id, reason: verdict.reason });
      else if (stop === undefined || verdict.kind === "pause") stop = verdict;
    }
  }
  return {
    parts: pageParts(job.id, accepted, skipped, found.added),
    accepted: accepted.length,
    stop,
  };
}

/** Sends all of them, or those before what fails them or before the end of this process. */
export async function sendSome(
  { sends, sender, rest, signal }: Pick<Page, "sends" | "sender" | "rest" | "signal">,
  items: readonly Item[],
  ids: readonly string[],
): Promise<{ readonly settled: readonly Settled[]; readonly failure: Stop | undefined }> {
  const settled: Settled[] = [];
  try {
    while (settled.length < items.length) {
      const from = settled.length;
      if (from > 0) await rest();
      if (signal.aborted) break;
      const isShared = sends.others.areThere;
      const crowded = isShared && items.length > fewestOfCrowd;
      const to = isShared ? from + besideOthers : items.length;
      settled.push(
        ...(await sends.sending.send(
          { ...sender, crowded },
          items.slice(from, to),
          ids.slice(from, to),
        )),
      );
    }
  } catch (error) {
    return { settled, failure: stopOf(machinery(error) ?? error) };
  }
  return { settled, failure: undefined };
}

function stopOf(error: unknown): Stop {
  const verdict = verdictOf(error as Parameters<typeof verdictOf>[0]);
  if (verdict.kind !== "skip") return verdict;
  return { kind: "pause", code: verdict.reason, reason: (error as Error).message };
}

type Ready = { readonly row: Recipient; readonly to: string; readonly said: Said };
type LookedUp = {
  readonly ready: readonly Ready[];
  readonly skipped: readonly Skipped[];
  /** Their messages are in the log already. */
  readonly sent: readonly string[];
  /** Whom merged contacts are part of now. */
  readonly added: readonly NewRecipient[];
};

/** Where the contacts are reached and what they are said now, which may have changed since the audience was fixed. */
async function lookUp(
  page: Page,
  template: TemplateAt | undefined,
  rows: readonly Recipient[],
): Promise<LookedUp> {
  const { context, job, send } = page;
  const people = await readPeople(
    context.projectionPool,
    { partner: job.partner, send, template },
    rows.map(({ contact_id }) => contact_id),
  );
  const ready: Ready[] = [];
  const left: { row: Recipient; reason: string; root?: string | undefined }[] = [];
  for (const [index, row] of rows.entries()) {
    const person = people[index]!;
    if (person.kind === "ready") ready.push({ row, to: person.to, said: person.said });
    else left.push({ row, reason: person.reason, root: person.root });
  }
  // Somebody killed before the count, or an append whose outcome nobody knows, may have sent to them while they could be reached.
  const known = await alreadySent(
    context,
    job.partner,
    left.map(({ row }) => row.message_id),
  );
  const skipped = left.filter(({ row }) => !known.has(row.message_id));
  const roots = new Set(skipped.flatMap(({ root }) => root ?? []));
  return {
    ready,
    sent: [...known],
    skipped: skipped.map(({ row, reason }) => ({ message_id: row.message_id, reason })),
    added: [...roots].map((contact_id) => ({
      contact_id,
      message_id: messageIdOf(context.environment, job.partner, job.id, { contact_id, attempt: 0 }),
    })),
  };
}

async function alreadySent(
  { log }: ServiceContext,
  partner: string,
  messageIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (messageIds.length === 0) return new Set();
  const streams = await log.forPartner(partner).readStreams(
    messageIds.map((id) => streamOf("message", id)),
    { limit: 1 },
  );
  return new Set(
    messageIds.filter((id) => (streams.get(streamOf("message", id))?.length ?? 0) > 0),
  );
}
