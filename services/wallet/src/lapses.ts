import { type EventData, failpoint, readEventFlaw, streamOf, uuid5 } from "@heliograph/contracts";
import { overAt, partnerOfWallet } from "@heliograph/domain";
import type { NewEvent, RecordedEvent } from "@heliograph/log";
import type { ClockState, ReactorTools } from "@heliograph/runtime";
import { lapsedHolds } from "./metrics.ts";
import {
  dueHolds,
  forgetOpenHolds,
  noteOpenHolds,
  type OpenHold,
  putOffOpenHolds,
  readMark,
} from "./tables/ledger.ts";
import { readHolds } from "./tables/wallet.ts";

const lookEveryMs = 1_000;
/** A hold is looked at when it is this old: nearly all are settled by then, and only what is left costs a row. */
const settledMs = 5_000;
/** Events read, and holds lapsed, in one go: the ledger's own work comes in between. */
const atOnce = 200;
/** A hold that cannot be asked for is tried again so much later: a release may have come that can. */
const putOffMs = 86_400_000;

type Tools = Pick<ReactorTools, "context" | "logger" | "signal">;

/**
 * Lets holds lapse whose messages came to nothing. Each hold is looked at once, a few seconds after it was made; where it is still open, it is noted with the
 * time at which its message is over for certain. When that has passed by the partner's clock, `HoldLapsed` asks the ledger, which decides it among everything else
 * that it is asked: the timer moves no funds itself. Asking twice is asking once, since each hold has one stream for it. What is damaged holds up nobody else's: it is told of and passed over.
 */
export function openLapses(tools: Tools, realNow: () => number = Date.now) {
  const { context, logger, signal } = tools;
  let mark: bigint | undefined;
  /** Before this nothing has come of age, unless a clock is set forward. */
  let nextOldAt = 0;
  let looking: Promise<void> | undefined;
  let ended = false;

  /** Looks at holds that have come of age; true when there may be more. */
  async function note(): Promise<boolean> {
    if (realNow() < nextOldAt) return false;
    mark ??= await readMark(context.pool);
    const page = await context.log.readAll({ after: mark, limit: atOnce, types: ["FundsHeld"] });
    const youngest = realNow() - settledMs;
    // In a sandbox whose clock was set forward nobody waits for seconds.
    const isOld = (event: RecordedEvent): boolean =>
      event.recordedAt <= youngest || context.clock.moved().has(event.metadata.partner ?? "");
    const young = page.events.findIndex((event) => !isOld(event));
    const old = young < 0 ? page.events : page.events.slice(0, young);
    // Those that are young now have all come of age by then; until then each look would read them again.
    if (young >= 0) nextOldAt = page.events.at(-1)!.recordedAt + settledMs;
    const reached = young < 0 ? page.position : (old.at(-1)?.position ?? mark);
    if (reached === mark) return false;
    await noteOpenHolds(context.pool, await stillOpen(context, old.filter(isSound)), reached);
    mark = reached;
    return young < 0 && page.events.length === atOnce;
  }

  function isSound(event: RecordedEvent): boolean {
    const flaw = readEventFlaw(event);
    if (flaw === undefined) return true;
    const about = { position: String(event.position), flaw };
    logger.error(about, "holds of an event that cannot be read do not lapse");
    return false;
  }

  async function look(): Promise<void> {
    while (!ended && (await note()));
    while (!ended && (await lapse(tools, realNow)));
  }

  const wake = (): void => {
    looking ??= look()
      .catch((error: unknown) => logger.warn({ err: error }, "holds could not be looked at"))
      .finally(() => (looking = undefined));
  };
  const timer = setInterval(wake, lookEveryMs);
  const unsubscribe = context.clock.onChange(() => {
    nextOldAt = 0;
    wake();
  });
  const end = (): void => {
    ended = true;
    clearInterval(timer);
    unsubscribe();
  };
  signal.addEventListener("abort", end, { once: true });
  return {
    async stop(): Promise<void> {
      end();
      signal.removeEventListener("abort", end);
      await looking;
    },
  };
}

/** The holds of these events that nothing was decided of yet, and when they are due. */
async function stillOpen(
  context: Tools["context"],
  events: readonly RecordedEvent<"FundsHeld">[],
): Promise<OpenHold[]> {
  const graceMs = context.settings.holdGraceHours * 3_600_000;
  const { directory, environment } = context;
  const held = events.flatMap((event) =>
    directory.isOver(environment, event.metadata.partner)
      ? []
      : event.data.entries.map(({ message_id }) => ({ message_id, event })),
  );
  const ids = held.map(({ message_id }) => message_id);
  const known = (await readHolds(context.pool, ids, [])).holds;
  const open = held.filter(
    ({ message_id }) => (known.get(message_id)?.status ?? "held") === "held",
  );
  const streams = open.map(({ message_id }) => streamOf("message", message_id));
  const requests = await context.log.readStreams(streams, { limit: 1 });
  return open.map(({ message_id, event }) => {
    const [first] = requests.get(streamOf("message", message_id)) ?? [];
    const wallet = `ptn_${event.stream.slice("wallet-".length)}`;
    return {
      message_id,
      partner: partnerOfWallet(wallet),
      wallet,
      currency: event.data.currency,
      due_at: new Date(endOf(first, event) + graceMs),
    };
  });
}

/** Asks for what is due; true when there may be more. */
async function lapse({ context, logger }: Tools, realNow: () => number): Promise<boolean> {
  // What a clock went over has a moment to happen first: a message that was due on the way may be sent still.
  const settled = [...context.clock.moved()].filter(
    ([, clock]) => realNow() - movedAt(clock) >= settledMs,
  );
  const ahead = settled.map(([partner]) => ({
    partner,
    now: new Date(context.clock.now(partner)),
  }));
  const due = await dueHolds(context.pool, new Date(realNow()), ahead, atOnce);
  if (due.length === 0) return false;
  const ids = due.map(({ message_id }) => message_id);
  const { holds } = await readHolds(context.pool, ids, []);
  const open = due.filter(({ message_id }) => (holds.get(message_id)?.status ?? "held") === "held");
  await failpoint("wallet.before_lapse");
  const outcomes = await context.log.append(
    open.map((hold) => ({
      stream: streamOf("hold", hold.message_id),
      expected: "no_stream" as const,
      events: [lapsed(context, hold)],
    })),
  );
  const refused = new Map<string, Date>();
  for (const [index, outcome] of outcomes.entries()) {
    const { message_id, wallet, partner } = open[index]!;
    const about = { wallet, message: message_id };
    if (outcome.kind === "invalid") {
      refused.set(message_id, new Date(context.clock.now(partner) + putOffMs));
      logger.error({ ...about, error: outcome.message }, "a hold cannot lapse");
    }
    if (outcome.kind !== "appended") continue;
    lapsedHolds.inc({ environment: context.environment });
    logger.warn(about, "nothing became of a message: its hold lapses");
  }
  await failpoint("wallet.after_lapse");
  if (refused.size > 0) await putOffOpenHolds(context.pool, refused);
  await forgetOpenHolds(
    context.pool,
    ids.filter((id) => !refused.has(id)),
  );
  return due.length === atOnce;
}

const lapsed = (
  { clock }: Tools["context"],
  { message_id, partner, currency }: OpenHold,
): NewEvent => ({
  id: uuid5(message_id, "HoldLapsed"),
  type: "HoldLapsed",
  data: { message_id, currency } satisfies EventData<"HoldLapsed">,
  metadata: {
    partner,
    actor: "service:wallet",
    correlation: message_id,
    ...clock.stamp(partner),
  },
});

/** When, in real time, a sandbox's clock was set forward last. */
const movedAt = ({ aheadMs, jumps }: ClockState): number => (jumps.at(-1)?.to ?? 0) - aheadMs;

/** When a message is over for certain; one that the log does not have, or that cannot be read, some days after its hold. */
const endOf = (request: RecordedEvent | undefined, held: RecordedEvent): number =>
  request?.type === "MessageRequested" && readEventFlaw(request) === undefined
    ? overAt(request.data)
    : held.recordedAt + 7 * 86_400_000;
