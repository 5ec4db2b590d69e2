import { accountOf } from "@heliograph/contracts";
import { type EventLog, type RecordedEvent, ReadTooLarge } from "@heliograph/log";
import { pause, restMs } from "@heliograph/runtime";
import type { Vault } from "@heliograph/vault";
import type { Asked } from "../tables/backtests.ts";
import { createJudge, sentOf, type Unjudged, type Verdict } from "./judge.ts";
import { add, type Sums } from "./sums.ts";

/** Messages of a page: their streams are some hundreds of KB, and judging them holds the process for a few milliseconds. */
const pageMessages = 100;
/** Some hours of work at the pace of `restMs`, whosever they are: each is read. A window that has more ends there, and says so. */
const mostMessages = 10_000_000;

export type RunDeps = {
  readonly log: EventLog;
  readonly vault: Pick<Vault, "open">;
  /** As for those who send: it waits longer while the consumers of this process are behind. */
  readonly pressure?: ((early: boolean) => Promise<void> | undefined) | undefined;
};

/**
 * Judges the messages that were accepted behind one position up to another, page by page, and adds them to the sums. `paged` is told after each page how far it is, and ends it by
 * false. Gives whether the window was judged whole; undefined when it was ended before.
 */
export async function runBacktest(
  { log, vault, pressure }: RunDeps,
  asked: Asked,
  window: { readonly reached: bigint; readonly to: bigint },
  sums: Sums,
  paged: (reached: bigint) => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const judge = createJudge(asked);
  let { reached } = window;
  while (reached < window.to) {
    await pressure?.(true);
    if (signal.aborted) return undefined;
    const began = performance.now();
    const page = await log.readAll({
      after: reached,
      limit: pageMessages,
      types: ["MessageRequested"],
    });
    const seen = page.events.filter(({ position }) => position <= window.to);
    const requests = seen.filter(
      ({ metadata }) =>
        asked.partner === undefined || accountOf(metadata.partner ?? "") === asked.partner,
    );
    sums.seen += seen.length;
    for (const verdict of await judged({ log, vault }, requests, judge)) add(sums, verdict);
    const stuck = page.position === reached;
    reached = stuck || page.position > window.to ? window.to : page.position;
    if (!(await paged(reached))) return undefined;
    if (reached >= window.to) break;
    if (sums.seen >= mostMessages) return false;
    await pause(restMs(performance.now() - began), signal);
  }
  return true;
}

/** What one message comes to: one that is damaged says nothing, and the others are judged. */
function readably<Result>(read: () => Result): Result | "unreadable" {
  try {
    return read();
  } catch {
    return "unreadable";
  }
}

async function judged(
  deps: Pick<RunDeps, "log" | "vault">,
  requests: readonly RecordedEvent<"MessageRequested">[],
  judge: ReturnType<typeof createJudge>,
): Promise<readonly (Verdict | Unjudged)[]> {
  const histories = await historiesOf(deps.log, requests);
  const sent = histories.map((events) =>
    events === undefined ? "too_large" : readably(() => sentOf(events)),
  );
  const asked = sent.map((each) =>
    typeof each === "string" ? undefined : { to: each.state.request.to },
  );
  // The log says whose they are: the keys are asked for whatever the partner.
  const open = await deps.vault.open(undefined, asked);
  return sent.map((each, index) =>
    typeof each === "string" ? each : readably(() => judge(each, open(asked[index]!).to)),
  );
}

/** The streams of messages, in order; undefined for one that is more than one process may hold. Where a page of them is too much, half of it is read at a time. */
async function historiesOf(
  log: EventLog,
  requests: readonly RecordedEvent<"MessageRequested">[],
): Promise<readonly (readonly RecordedEvent[] | undefined)[]> {
  const streams = requests.map(({ stream }) => stream);
  try {
    const found = await log.readStreams(streams);
    return streams.map((stream) => found.get(stream) ?? []);
  } catch (error) {
    if (!(error instanceof ReadTooLarge)) throw error;
    if (requests.length === 1) return [undefined];
    const half = Math.ceil(requests.length / 2);
    return [
      ...(await historiesOf(log, requests.slice(0, half))),
      ...(await historiesOf(log, requests.slice(half))),
    ];
  }
}
