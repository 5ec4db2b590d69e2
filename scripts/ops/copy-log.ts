import { copyLog, verifyCopy, type CopyProgress, type CopySide } from "@heliograph/log";
import type { Namespace } from "@heliograph/runtime";
import type { End } from "./copy-ends.ts";
import { newLine } from "./progress.ts";

export type CopyRequest = {
  readonly namespaces: readonly Namespace[];
  readonly from: End;
  readonly to: End;
  /** A copy ahead of the move: services may go on appending to the source, and what they append is left for the next run. */
  readonly once: boolean;
  /** Compare only. */
  readonly verifyOnly: boolean;
  readonly signal: AbortSignal;
};

/** Copies and verifies one namespace after the other; true when all of them are equal. Throws CopyRefused. */
export async function copyNamespaces(request: CopyRequest): Promise<boolean> {
  for (const namespace of request.namespaces)
    if (!(await copyNamespace(request, namespace))) return false;
  return true;
}

async function copyNamespace(request: CopyRequest, namespace: Namespace): Promise<boolean> {
  const { from, to, once, verifyOnly, signal } = request;
  const sides: CopySide[] = [];
  const line = newLine();
  try {
    const source = await from.source(namespace, { servicesMayRun: once });
    sides.push(source);
    const target = await to.target(namespace);
    sides.push(target);
    const pass = { source: source.log, signal, onProgress: shower(namespace, line.show) };
    for (let copied = 0; ;) {
      const startedAt = performance.now();
      const result = verifyOnly
        ? { events: 0, head: await source.log.head() }
        : await copyLog({ ...pass, target });
      copied += result.events;
      const seconds = (performance.now() - startedAt) / 1000;
      const verified = await verifyCopy({ ...pass, target: target.log, head: result.head });
      line.end();
      if (!verified.equal) {
        const { position, what } = verified.difference!;
        say(`${namespace}: DIFFERS at position ${position}: ${what}`);
        return false;
      }
      if (!once) for (const side of sides) await side.assertQuiet();
      // The head alone may move without an event, where other namespaces share the server.
      const rest = await source.log.readAll({ after: result.head, limit: 1 });
      const more = rest.events.length > 0;
      if (more && !once && !verifyOnly) continue;
      say(
        `${namespace}: ${count(copied)} events copied in ${seconds.toFixed(1)} s, ${count(verified.events)} verified up to position ${result.head}, sha256 ${verified.sourceHash}`,
      );
      if (more) say(`${namespace}: the source has gone on since; run again to copy the rest`);
      return true;
    }
  } finally {
    line.end();
    await Promise.all(sides.map((side) => side.close()));
  }
}

/** Shows a pass: the share is that of positions, because where they have holes nobody knows how many events there are. */
function shower(namespace: string, show: (text: string) => void): (progress: CopyProgress) => void {
  let phase = "";
  let startedAt = 0;
  let first = 0;
  return (progress) => {
    if (progress.phase !== phase) {
      phase = progress.phase;
      startedAt = performance.now();
      first = Number(progress.position);
    }
    show(`${namespace}: ${copyText(progress, first, performance.now() - startedAt)}`);
  };
}

/** `first`: the position at which the elapsed time began. */
export function copyText(
  { phase, events, position, head }: CopyProgress,
  first: number,
  elapsedMs: number,
): string {
  const share = head === 0n ? 100 : Math.floor(Number((position * 100n) / head));
  const rate = elapsedMs > 0 ? (events * 1000) / elapsedMs : 0;
  const speed = elapsedMs > 0 ? (Number(position) - first) / elapsedMs : 0;
  const eta = speed > 0 ? `${Math.ceil(Number(head - position) / speed / 1000)} s` : "unknown";
  return `${phase} ${share} %, ${count(events)} events, ${count(rate)} events/s, ETA ${eta}`;
}

const count = (value: number): string => Math.round(value).toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);
