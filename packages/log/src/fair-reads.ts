import {
  makeStreamReads,
  type ReadLimits,
  type ReadPage,
  type StreamReads,
} from "./stream-reads.ts";
import {
  LogUnavailable,
  type Batch,
  type EventLog,
  type Page,
  type ReadAllOptions,
  type RecordedEvent,
  type SubscribeOptions,
} from "./types.ts";

export type TurnLimits = {
  /** Reads of one partner under way at once. */
  readonly perPartner: number;
  /** Of all partners together: below what the driver can do at once, so that consumers always get through. */
  readonly total: number;
};

/** A partner with so many reads behind each other would wait for seconds: it hears at once that it asks for too much. */
const MAX_WAITING = 1_000;
const RETRY_AFTER_MS = 1_000;
/** Logs of single partners that are kept: more than call at one time. */
const KNOWN_PARTNERS = 1_000;

type Waiting = { running: number; readonly waiting: (() => void)[] };
type Turns = <T>(partner: string, work: () => Promise<T>) => Promise<T>;

/** Lets partners work one after the other, each in its turn however much one of them asks for. */
export function makeTurns({ perPartner, total }: TurnLimits): Turns {
  /** Partners with a read under way or waiting, in the order of their next turn. */
  const partners = new Map<string, Waiting>();
  let running = 0;

  /** Whoever has least under way is next; of several the one whose last turn is longest ago. */
  function next(): void {
    while (running < total) {
      let chosen: [string, Waiting] | undefined;
      for (const [name, partner] of partners)
        if (
          partner.waiting.length > 0 &&
          partner.running < (chosen === undefined ? perPartner : chosen[1].running)
        )
          chosen = [name, partner];
      if (chosen === undefined) return;
      const [name, partner] = chosen;
      partners.delete(name);
      partners.set(name, partner);
      partner.running++;
      running++;
      partner.waiting.shift()!();
    }
  }

  return async (name, work) => {
    let partner = partners.get(name);
    if (partner === undefined) partners.set(name, (partner = { running: 0, waiting: [] }));
    if (partner.waiting.length >= MAX_WAITING)
      throw new LogUnavailable("too many reads of one partner are waiting", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    const { promise, resolve } = Promise.withResolvers<void>();
    partner.waiting.push(resolve);
    next();
    await promise;
    try {
      return await work();
    } finally {
      partner.running--;
      running--;
      if (partner.running === 0 && partner.waiting.length === 0) partners.delete(name);
      next();
    }
  };
}

/** What a driver brings: it filters by names, and knows nothing of what the events of a type or a stream are. */
export type DriverLog = Omit<
  EventLog,
  "forPartner" | "readStream" | "readStreams" | "scanStream" | "readAll" | "subscribe"
> & {
  readStreams(
    streams: readonly string[],
    options?: { readonly limit?: number },
  ): Promise<ReadonlyMap<string, readonly RecordedEvent[]>>;
  readAll(options: ReadAllOptions): Promise<Page>;
  subscribe(options: SubscribeOptions): AsyncIterable<Batch>;
};

/** A filter gives the types that it names, and a stream has the types of its category: the log has checked them all. */
const typed = (log: DriverLog & StreamReads): Omit<EventLog, "forPartner"> =>
  log as unknown as Omit<EventLog, "forPartner">;

/** Makes a log of what a driver brings. */
export function withFairReads(
  log: DriverLog,
  readPage: ReadPage,
  limits: ReadLimits,
  turns: TurnLimits,
): EventLog {
  const take = makeTurns(turns);
  const known = new Map<string, EventLog>();
  const ofPartner = (partner: string): EventLog => ({
    ...typed({
      ...log,
      ...makeStreamReads(
        (stream, options) => take(partner, () => readPage(stream, options)),
        limits,
      ),
      readStreams: (streams, options) => take(partner, () => log.readStreams(streams, options)),
      readAt: (position) => take(partner, () => log.readAt(position)),
      head: () => take(partner, () => log.head()),
      seal: () => take(partner, () => log.seal()),
    }),
    forPartner,
  });
  /** One for each call would be felt. */
  const forPartner = (partner: string): EventLog => {
    let log = known.get(partner);
    if (log === undefined) {
      if (known.size >= KNOWN_PARTNERS) known.clear();
      known.set(partner, (log = ofPartner(partner)));
    }
    return log;
  };
  return { ...typed({ ...log, ...makeStreamReads(readPage, limits) }), forPartner };
}
