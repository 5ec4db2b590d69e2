import { streamOf } from "@heliograph/contracts";
import { type BoundedCache, boundedCache } from "./bounded-cache.ts";
import { type ThreadEvent, type ThreadState, evolveThread } from "./thread.ts";

type ThreadLog = {
  scanStream(stream: string, options: { readonly from: number }): AsyncIterable<ThreadEvent>;
};

/** Shorter ones are read faster than they are worth remembering. */
const longThread = 200;
/** Bytes for each log. */
const remembered = 32_000_000;
/** The fewest bytes that a state takes, and those of each event at most. */
const weightOf = ({ revision }: ThreadState): number => 2_000 + 100 * revision;

const warm = new WeakMap<ThreadLog, BoundedCache<string, ThreadState>>();

function statesOf(log: ThreadLog): BoundedCache<string, ThreadState> {
  let states = warm.get(log);
  if (states === undefined) {
    states = boundedCache(remembered, weightOf);
    warm.set(log, states);
  }
  return states;
}

/** A thread as the log has it now. What was folded of a long one is not folded again: only what came since is read. */
export async function readThreadNow(
  log: ThreadLog,
  name: string,
): Promise<ThreadState | undefined> {
  const states = statesOf(log);
  let state = states.get(name);
  const from = state === undefined ? 0 : state.revision + 1;
  for await (const event of log.scanStream(streamOf("thread", name), { from }))
    state = evolveThread(state, event);
  if (state !== undefined && state.revision >= longThread) states.set(name, state);
  return state;
}
