import {
  type Answer,
  type Call,
  type Route,
  replayedHeader,
  requireSandbox,
  route,
  tooManyChanges,
  untilInEffect,
} from "@heliograph/api";
import {
  type EventData,
  failpoint,
  spaceAfter,
  streamOf,
  uuid5,
  uuid7,
} from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type RecordedEvent, change } from "@heliograph/log";
import { z } from "zod";
import { decideReset, evolveResets } from "../decide-reset.ts";
import { furnish } from "../next-space.ts";

const ResetView = z
  .object({
    reset_at: z.string().meta({
      format: "date-time",
      description: "When the sandbox was put back to the beginning, by the real time.",
      example: "2026-05-23T14:22:17.042Z",
    }),
  })
  .meta({ id: "SandboxReset" });

/**
 * The reset itself is one event, and what it needs is there before it: killed in the middle it has happened or it has not. A key's id does not follow from the space, which is another one when the
 * same request comes again.
 */
async function reset(call: Call<unknown, unknown>): Promise<Answer> {
  requireSandbox(call, "Data can be reset");
  const { account: partner_id, idempotencyKey: key, context } = call;
  const { platformLog: log, directory } = context;
  const stream = streamOf("sandbox", partner_id);
  const id = key === undefined ? uuid7() : uuid5("event", stream, call.routeName, key);
  let resets: number | undefined;
  let done: RecordedEvent | undefined;
  for await (const event of log.scanStream(stream)) {
    resets = evolveResets(resets, event);
    if (event.id === id) done = event;
  }
  const repeated = done !== undefined;
  if (done === undefined) {
    const at = formatTime(Date.now());
    const before = resets ?? 0;
    const { currency } = call.partner;
    await furnish({
      log: call.deps.log,
      from: spaceAfter(partner_id, before),
      to: spaceAfter(partner_id, before + 1),
      currencies: [...new Set([currency, ...directory.priceCurrencies()])],
      at,
      actor: call.actor,
    });
    await failpoint("sandbox.before_reset");
    const changed = await change(log, {
      stream,
      evolve: evolveResets,
      decide: (now) => decideReset(now, { partner_id, wanted: before + 1, at }),
      eventId: id,
      metadata: call.metadata({ partner: partner_id, correlation: partner_id }),
    });
    if (changed.kind !== "changed") throw tooManyChanges();
    done = changed.first;
    await failpoint("sandbox.after_reset");
  }
  await untilInEffect(call, done.position);
  return {
    status: 202,
    body: { reset_at: (done.data as EventData<"SandboxReset">).at },
    ...(repeated && { headers: replayedHeader }),
  };
}

export const resetRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/sandbox/reset",
    scope: "sandbox:write",
    summary: "Put your sandbox back to the beginning: a new, empty one with the same keys",
    mutates: true,
    status: 202,
    response: ResetView,
    errors: [
      "invalid_request",
      "malformed_json",
      "conflict",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: reset,
  }),
];
