import { type EventData, streamOf, uuid5 } from "@heliograph/contracts";
import { change, type EventLog, LogUnavailable } from "@heliograph/log";
import { operator } from "@heliograph/platform";
import type { PlatformContext, Settings, WritePart } from "@heliograph/runtime";
import { afterBusinessTime, businessDayMs } from "./business-time.ts";
import { originOfLinks } from "@heliograph/api";
import { takeToken } from "./links.ts";
import { evolve, type Evaluation } from "./evolve.ts";
import { readEvaluation } from "./read.ts";
import { slackMessage, type SlackMessage } from "./slack/message.ts";
import { addNotices, type NewNotice } from "./store.ts";
import type { Notice } from "./tables/notices.ts";

const hourMs = 3_600_000;

/** What the team is told of a request: at once, and twice before the promise breaks. Kept with the checkpoint, so that no crash loses or doubles it. */
export function noticesOf(
  { business, slackWebhookUrl }: Settings,
  { evaluation_id, requested_at }: EventData<"EvaluationRequested">,
): readonly WritePart[] {
  if (slackWebhookUrl === undefined) return [];
  const requestedMs = Date.parse(requested_at);
  const day = businessDayMs(business);
  const notice = (kind: NewNotice["kind"], dueMs: number): NewNotice => ({
    id: uuid5("evaluation notice", evaluation_id, kind),
    evaluationId: evaluation_id,
    kind,
    dueAt: new Date(dueMs),
  });
  const at = (spanMs: number): number => afterBusinessTime(business, requestedMs, spanMs);
  return [
    addNotices([
      notice("requested", requestedMs),
      notice("half", at(day / 2)),
      // A day of an hour has no last hour of its own.
      ...(day > 2 * hourMs ? [notice("last_hour", at(day - hourMs))] : []),
    ]),
  ];
}

/** The message of a notice; undefined for a reminder that nobody needs any more. */
export async function openNotice(
  { log, vault, masterKey, settings }: PlatformContext,
  { evaluation_id, kind }: Notice,
): Promise<SlackMessage | undefined> {
  const { evaluation: sealed } = await readEvaluation(log, evaluation_id);
  if (sealed === undefined) return undefined;
  if (sealed.erased_at !== undefined) return undefined;
  const isAnswered = sealed.contacted_at !== undefined || sealed.closed_at !== undefined;
  if (kind !== "requested" && isAnswered) return undefined;
  const { website, expected_volume, contact, ...told } = (
    await vault.open(operator.partner_id, sealed)
  )(sealed);
  return slackMessage({
    ...told,
    kind,
    website,
    expected_volume,
    contact,
    link: `${originOfLinks(settings)}/evaluations/take/${takeToken(masterKey, evaluation_id)}`,
  });
}

/** Keeps that the team was reminded. Of a reminder there is one event, however often it is told. */
export async function recordReminder(
  log: EventLog,
  { id, evaluation_id, kind }: Notice,
): Promise<void> {
  if (kind === "requested") return;
  const data: EventData<"EvaluationReminded"> = {
    evaluation_id,
    reminder: kind,
    reminded_at: new Date().toISOString(),
  };
  const changed = await change<Evaluation>(log, {
    stream: streamOf("evaluation", evaluation_id),
    eventId: uuid5(id, "reminded"),
    metadata: {
      partner: operator.partner_id,
      actor: "service:evaluations",
      correlation: evaluation_id,
    },
    evolve,
    decide: (state) => ({
      events: state === undefined ? [] : [{ type: "EvaluationReminded", data }],
    }),
  });
  if (changed.kind === "contended") throw new LogUnavailable(`${evaluation_id} kept changing`);
}
