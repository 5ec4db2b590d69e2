import type { RecordedEvent } from "@heliograph/log";
import { operator, postedMail } from "@heliograph/platform";
import {
  type PlatformContext,
  type Reactor,
  reactor,
  type ReactorInstance,
  type ReactorTools,
  type WritePart,
} from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { readEvaluation } from "./read.ts";
import { originOfLinks } from "@heliograph/api";
import { accessToken, tokenHash } from "./links.ts";
import { again, introduction, welcome } from "./mails.ts";
import { noticesOf, openNotice, recordReminder } from "./notices.ts";
import { recordKeyShown } from "./key.ts";
import { destroyKeys } from "./erase.ts";
import { provision } from "./provision.ts";
import { openSender } from "./slack/sender.ts";
import { addAccess, forgetVisitor } from "./store.ts";
import { countEarlier, deskMigrations, deskSchema } from "./tables/desk.ts";

const types = [
  "EvaluationRequested",
  "EvaluationProvisioned",
  "EvaluationAssigned",
  "EvaluationClosed",
  "EvaluationErased",
  "KeyIssued",
] as const;
type Event = RecordedEvent<(typeof types)[number]>;

/** How long a link that shows a key may be used. */
const accessDays = 7;
/** Nobody's mailbox is filled by strangers: further requests of an address in a day bring no mail. */
const mailsPerDay = 3;

/** Makes the tenant of a request, and tells the visitor and the team. */
export const deskReactor = (platform: PlatformContext): Reactor =>
  reactor({
    kind: "reactor",
    name: "evaluation-desk",
    // Not the projector's schema, which a rebuild replaces.
    schema: deskSchema,
    types,
    concerns: (event) =>
      event.type !== "KeyIssued" || event.metadata.actor === "service:evaluations",
    migrations: deskMigrations,
    start: (tools) => startDesk(tools, platform),
  });

function startDesk(tools: ReactorTools, platform: PlatformContext): ReactorInstance<Event["type"]> {
  const { slackWebhookUrl } = platform.settings;
  if (slackWebhookUrl === undefined)
    tools.logger.info("nobody is told of evaluations: HELIOGRAPH_SLACK_WEBHOOK_URL is not set");
  const sender =
    slackWebhookUrl === undefined
      ? undefined
      : openSender(tools, slackWebhookUrl, {
          messageOf: (notice) => openNotice(platform, notice),
          onTold: (notice) => recordReminder(platform.log, notice),
        });
  return {
    async handle(batch) {
      // One after the other: whose turn it is follows from the requests before.
      for (const event of batch.events) {
        const parts = await partsOf(platform, event);
        if (parts.length > 0) await tools.checkpoint.commit(event.position, parts);
        if (event.type === "EvaluationRequested") sender?.hurry();
      }
      await tools.checkpoint.commit(batch.position);
    },
    stop: async () => sender?.stop(),
  };
}

/** Does what an event asks for, as often as it is repeated to the same effect, and gives what is kept with the checkpoint. */
async function partsOf(platform: PlatformContext, event: Event): Promise<readonly WritePart[]> {
  switch (event.type) {
    case "EvaluationRequested": {
      const { part, duplicate } = await provision(platform, event);
      return duplicate ? [part] : [part, ...noticesOf(platform.settings, event.data)];
    }
    case "EvaluationProvisioned":
      return welcomed(platform, event);
    case "EvaluationAssigned":
      return event.data.by === "person" ? introduced(platform, event) : [];
    case "EvaluationClosed":
      return event.data.duplicate_of === undefined ? [] : remembered(platform, event);
    case "EvaluationErased":
      await destroyKeys(platform.vault, event.data.evaluation_id);
      return forgetVisitor(event.data.evaluation_id);
    case "KeyIssued":
      await recordKeyShown(platform.log, event);
      return [];
    default:
      return event satisfies never;
  }
}

/** Where mail of an evaluation goes; undefined once it is erased. */
async function addressOf({ vault }: PlatformContext, sealed: string): Promise<string | undefined> {
  const address = (await vault.open(operator.partner_id, sealed))(sealed);
  return address === erasedText ? undefined : address;
}

async function welcomed(
  platform: PlatformContext,
  event: RecordedEvent<"EvaluationProvisioned">,
): Promise<readonly WritePart[]> {
  const { evaluation } = await readEvaluation(platform.log, event.data.evaluation_id);
  const to = evaluation && (await addressOf(platform, evaluation.email));
  if (evaluation === undefined || to === undefined) return [];
  const { link, part } = newLink(platform, event, evaluation.evaluation_id);
  const origin = originOfLinks(platform.settings);
  const mail = welcome({ to, link, origin, contact: evaluation.contact });
  return [part, postedMail(platform.masterKey, `evaluation welcome ${event.id}`, mail)];
}

async function remembered(
  platform: PlatformContext,
  event: RecordedEvent<"EvaluationClosed">,
): Promise<readonly WritePart[]> {
  const { evaluation_id, duplicate_of } = event.data;
  const { evaluation, position } = await readEvaluation(platform.log, evaluation_id);
  const to = evaluation && (await addressOf(platform, evaluation.email));
  if (evaluation === undefined || to === undefined || duplicate_of === undefined) return [];
  const { address, requested_at: requestedAt } = evaluation;
  if ((await countEarlier(platform.pool, { address, position, requestedAt })) >= mailsPerDay)
    return [];
  const { link, part } = newLink(platform, event, duplicate_of);
  const mail = again({ to, link, origin: originOfLinks(platform.settings) });
  return [part, postedMail(platform.masterKey, `evaluation again ${event.id}`, mail)];
}

async function introduced(
  platform: PlatformContext,
  { id, data }: RecordedEvent<"EvaluationAssigned">,
): Promise<readonly WritePart[]> {
  const { evaluation } = await readEvaluation(platform.log, data.evaluation_id);
  const to = evaluation && (await addressOf(platform, evaluation.email));
  if (evaluation === undefined || to === undefined) return [];
  const channel = data.slack_invite_url ?? evaluation.slack_invite_url;
  const mail = introduction(to, data.contact, channel);
  return [postedMail(platform.masterKey, `evaluation contact ${id}`, mail)];
}

/** A link that shows a key of an evaluation's tenant once, and what is kept of it. */
function newLink(
  { masterKey, settings }: PlatformContext,
  cause: RecordedEvent,
  evaluationId: string,
): { readonly link: string; readonly part: WritePart } {
  const token = accessToken(masterKey, cause.id);
  const expiresAt = new Date(cause.recordedAt + accessDays * 86_400_000);
  return {
    link: `${originOfLinks(settings)}/evaluations/access/${token}`,
    part: addAccess(tokenHash(token), evaluationId, expiresAt),
  };
}
