import { failpoint } from "@heliograph/contracts";
import type { ReactorTools } from "@heliograph/runtime";
import { dropNotice, type Notice, postponeNotice, takeNotice } from "../tables/notices.ts";
import type { SlackMessage } from "./message.ts";
import { post } from "./post.ts";

/** A successor tries when this process ended with a notice in hand. */
const leaseSeconds = 30;
const lookEveryMs = 1_000;
const firstRetryMs = 1_000;
/** Slack is away: somebody mends it. It refuses this message: somebody has to change the setting, or the release. */
const slowestMs = { away: 300_000, refused: 3_600_000 } as const;

export type Sender = {
  /** There is something to tell. */
  hurry(): void;
  stop(): Promise<void>;
};

/**
 * Tells the team what is due, one message after the other. While Slack is away all of them wait, longer each time; a message that it refuses waits alone. None is given up. What was told right before a
 * crash may be told again, since a webhook knows no repetitions.
 */
export function openSender(
  { context: { pool, settings, logger }, stopping }: ReactorTools,
  url: string,
  {
    messageOf,
    onTold,
  }: {
    messageOf(notice: Notice): Promise<SlackMessage | undefined>;
    /** Safe to repeat. */
    onTold(notice: Notice): Promise<void>;
  },
): Sender {
  const ended = new AbortController();
  const signal = AbortSignal.any([stopping, ended.signal]);
  let pausedUntil = 0;
  let failures = 0;
  const delayMs = (kind: keyof typeof slowestMs, count: number): number =>
    Math.min(firstRetryMs * 2 ** (count - 1), slowestMs[kind]) * settings.retryScale;

  async function tell(notice: Notice): Promise<void> {
    const { id, kind, tries } = notice;
    const message = await messageOf(notice);
    if (message === undefined) return dropNotice(pool, id);
    const posted = await post(url, message, signal);
    if (signal.aborted && posted.kind === "away") return postponeNotice(pool, id, 0);
    if (posted.kind === "taken") {
      failures = 0;
      await failpoint("evaluations.after_slack");
      await onTold(notice);
      return dropNotice(pool, id);
    }
    logger.warn({ notice: id, kind, tries, posted }, "the team is not told yet");
    if (posted.kind === "refused")
      return postponeNotice(pool, id, delayMs("refused", tries) / 1000);
    pausedUntil = performance.now() + (posted.retryAfterMs ?? delayMs("away", ++failures));
    return postponeNotice(pool, id, 0);
  }

  async function deliver(): Promise<void> {
    while (!signal.aborted && performance.now() >= pausedUntil) {
      const notice = await takeNotice(pool, leaseSeconds);
      if (notice === undefined) return;
      await tell(notice);
    }
  }

  let running: Promise<void> | undefined;
  const hurry = (): void => {
    running ??= deliver()
      .catch((error: unknown) => logger.warn({ err: error }, "notices wait"))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(hurry, lookEveryMs);
  hurry();
  return {
    hurry,
    async stop() {
      clearInterval(timer);
      ended.abort();
      await running;
    },
  };
}
