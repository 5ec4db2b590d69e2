import { failpoint, streamOf } from "@heliograph/contracts";
import { readCallback, storedCallback } from "@heliograph/gateways";
import { createAlarm, isUnderWay, type ReactorTools } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { addPart, type PartRow, partsDone, readParts, waitingParts } from "../tables/parts.ts";
import type { CallbackEvent, Of } from "./reading.ts";
import { gatewayNow } from "./provider-ids.ts";
import { recordWritten } from "./record.ts";

/** The rest of a message is waited for so long, from its first part on. Then it is told as far as it came, with a mark in the place of what is missing. */
const waitMs = 300_000;
/** Phones count long messages in 8 bits: after this a reference is that of another one. */
const rememberedMs = 3_600_000;

export type PartItem = { readonly event: CallbackEvent; readonly item: Of<"part"> };
export type Parts = {
  /** Keeps them, and tells of the messages that are whole now. */
  take(parts: readonly PartItem[]): Promise<void>;
  close(): Promise<void>;
};

/** Puts together what people sent in parts, whichever connection each came by, in whatever order, over restarts. */
export function openParts(tools: ReactorTools): Parts {
  const { context, schema, fail } = tools;
  const { pool, settings, vault } = context;
  const longestMs = waitMs * Math.min(1, settings.retryScale);
  /** One thing at a time: a part that comes while its message is told without it would be told twice. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const done = last.then(act);
    last = done.catch(() => undefined);
    return done;
  };
  const alarm = createAlarm(() => void inTurn(tellOverdue).catch(fail));

  async function keep({ event: { data }, item }: PartItem): Promise<string> {
    const received = Date.parse(data.received_at);
    // Whoever received it may have a clock that is ahead of this one, by which it is waited for.
    const received_at = new Date(Math.min(received, Date.now()));
    const whole = vault.name("part", data.gateway_id, item.of);
    const { number, total } = item;
    const row = { whole, number, total, callback_id: data.callback_id, received_at };
    await addPart(pool, schema, row, new Date(received - rememberedMs));
    alarm.at(Date.now() + longestMs);
    return whole;
  }

  async function tellWhole(whole: string): Promise<void> {
    const rows = await readParts(pool, schema, whole);
    if (rows.length === rows[0]?.total) await tell(tools, rows);
  }

  async function tellOverdue(): Promise<void> {
    const waiting = await waitingParts(pool, schema);
    for (const { whole, received_at } of waiting) {
      const received = received_at.getTime();
      if (isUnderWay(received, longestMs)) return alarm.at(received + longestMs);
      await tell(tools, await readParts(pool, schema, whole));
    }
    // There may be more of them than are given at once.
    if (waiting.length > 0) alarm.at(Date.now());
  }

  // Those of before a restart.
  alarm.at(Date.now());
  return {
    take: (parts) =>
      inTurn(async () => {
        const wholes = new Set<string>();
        for (const part of parts) wholes.add(await keep(part));
        for (const whole of wholes) await tellWhole(whole);
      }),
    async close() {
      alarm.cancel();
      await last;
    },
  };
}

type Place = Pick<ReactorTools, "context" | "schema">;

/** Those that were told before are not told again: one that comes too late is a message of its own. */
async function tell({ context, schema }: Place, rows: readonly PartRow[]): Promise<void> {
  const open = rows.filter(({ done }) => !done);
  const items = (await Promise.all(open.map((row) => itemOf(context, row)))).flat();
  const [first] = items;
  if (first !== undefined) {
    const sorted = items.toSorted((one, other) => one.item.number - other.item.number);
    const raw = Buffer.concat(sorted.map(({ item }) => item.raw));
    const further = items.slice(1).map(({ event }) => event.data.callback_id);
    await failpoint("parts.before_record");
    await recordWritten(context, first.event, { ...first.item, raw }, further);
    await failpoint("parts.after_record");
  }
  if (open.length > 0) await partsDone(context.pool, schema, open);
}

/** A part as it stands in the log; none where it was erased. */
async function itemOf(
  context: ReactorTools["context"],
  { callback_id, number }: PartRow,
): Promise<readonly PartItem[]> {
  const [event] = await context.log.readStream(streamOf("callback", callback_id));
  if (event?.type !== "CallbackReceived") return [];
  const data = (await context.vault.open(undefined, event.data))(event.data);
  if (data.raw === erasedText) return [];
  const { gateway_id: gatewayId, gateway: name, gateway_kind: kind, channel } = data;
  const now = gatewayNow(context, { name, kind, channel });
  const { masterKey } = context;
  return (await readCallback(now, storedCallback(data), { gatewayId, masterKey }))
    .filter((item) => item.kind === "part" && item.number === number)
    .map((item) => ({ event: event as CallbackEvent, item: item as Of<"part"> }));
}
