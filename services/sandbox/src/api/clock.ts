import {
  type Answer,
  type Call,
  type Route,
  changeOnce,
  requireSandbox,
  route,
  untilInEffect,
} from "@heliograph/api";
import { type EventData, streamOf } from "@heliograph/contracts";
import { z } from "zod";
import { decideAdvance, evolveAhead, mostAheadSeconds } from "../decide-advance.ts";

const AdvanceClock = z
  .strictObject({
    seconds: z.int().min(0).max(mostAheadSeconds).meta({
      description: "By how much the clock goes forward; 0 asks which time it is.",
      example: 3_600,
    }),
  })
  .meta({ id: "AdvanceClock" });

const ClockView = z
  .object({
    now: z.string().meta({
      format: "date-time",
      description: "The time of your sandbox.",
      example: "2026-05-23T15:22:17.042Z",
    }),
  })
  .meta({ id: "SandboxClock" });

async function advance(call: Call<z.infer<typeof AdvanceClock>, unknown>): Promise<Answer> {
  requireSandbox(call, "Time can be advanced");
  const partner_id = call.partner.partner_id;
  const asked = { partner_id, seconds: call.body.seconds, realMs: Date.now() };
  const changed = await changeOnce<number>(call, {
    name: "advance",
    correlation: partner_id,
    log: call.context.platformLog,
    stream: streamOf("clock", partner_id),
    evolve: evolveAhead,
    decide: (ahead) => decideAdvance(ahead ?? 0, asked),
  });
  if (changed.kind === "unchanged") return { status: 200, body: { now: call.timestamp() } };
  await untilInEffect(call, changed.position);
  const { to } = changed.first.data as EventData<"SandboxClockAdvanced">;
  return { status: 200, body: { now: to } };
}

export const clockRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/sandbox/clock/advance",
    scope: "sandbox:write",
    summary:
      "Set the clock of your sandbox forward: what becomes due on the way happens, in its order",
    mutates: true,
    body: AdvanceClock,
    response: ClockView,
    errors: [
      "invalid_request",
      "malformed_json",
      "clock_limit_reached",
      "conflict",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: advance,
  }),
];
