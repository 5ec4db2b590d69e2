import { randomUUID } from "node:crypto";
import {
  copyLog,
  type CopySide,
  type CopySource,
  type CopyTarget,
  verifyCopy,
  type Copied,
  type EventLog,
  type RecordedEvent,
  type Verified,
} from "../src/index.ts";
import { event } from "./support.ts";

/** Not aborted by anybody. */
export const calm = new AbortController().signal;

/** Appends of one and of several events, to new streams and to old ones, so that streams interleave. */
export async function fill(log: EventLog, rounds: number): Promise<void> {
  const shared = `shared-${randomUUID()}`;
  for (let round = 0; round < rounds; round++) {
    const append = (stream: string, count: number) => ({
      stream,
      expected: "any" as const,
      events: Array.from({ length: count }, (_, n) =>
        event({
          type: n % 2 === 0 ? "Tested" : "Other",
          version: 1 + (n % 3),
          data: {
            round,
            n,
            text: 'zażółć "quoted" \u0001 😀',
            nested: { b: [1, 2.5, null], a: {} },
          },
          metadata: { partner: `p${round % 7}`, actor: "test" },
        }),
      ),
    });
    const own = `own-${randomUUID()}`;
    await log.append([append(own, 3), append(shared, 1 + (round % 2)), append(own, 1)]);
  }
}

export async function everything(log: CopySource): Promise<readonly RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for (let position = 0n; ;) {
    const page = await log.readAll({ after: position, limit: 777 });
    found.push(...page.events);
    if (page.position >= page.head) return found;
    position = page.position;
  }
}

/** Copies and verifies, and closes both sides. */
export async function move(
  source: CopySide & { readonly log: CopySource },
  target: CopySide & CopyTarget,
): Promise<{ readonly copied: Copied; readonly verified: Verified }> {
  try {
    const copied = await copyLog({ source: source.log, target, signal: calm });
    const verified = await verifyCopy({
      source: source.log,
      target: target.log,
      head: copied.head,
      signal: calm,
    });
    return { copied, verified };
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}
