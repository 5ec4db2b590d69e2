import {
  type Accepted,
  acceptMessage,
  acceptSteps,
  checkCountry,
  checkSuppressed,
  languagesOfAll,
  mediaOf,
  planSender,
  recipientOf,
  refuseSuppressed,
  type SendMessage,
  type Suppressed,
  templateRefOf,
} from "@heliograph/acceptance";
import type { ReachOf } from "@heliograph/contacts";
import type { Environment } from "@heliograph/contracts";
import { pricesOf } from "@heliograph/domain";
import type { GatewayDirectory } from "@heliograph/runtime";
import { addressed, withRecipient } from "./addressed.ts";
import { contactZone } from "./contact-at.ts";
import { findAttachments } from "./media.ts";
import { requireGateway } from "./refusals.ts";
import type { SendMessage as AskedMessage } from "./schema.ts";
import type { Sender } from "./sender.ts";
import type { TemplateCache } from "./templates.ts";

/** What a send is held against. */
type Known = {
  readonly environment: Environment;
  readonly directory: GatewayDirectory;
  readonly templates: TemplateCache;
  readonly suppressed: Pick<Suppressed, "find">;
};

/** Decides a send with its further steps, but for the senders of pools that it asks for; throws a `PublicError` for a refusal. Nothing is stored. */
export const acceptSend = (
  known: Known,
  call: Sender,
  body: AskedMessage,
  messageId: string,
  reached: ReachOf,
): Promise<Accepted> =>
  acceptSteps(withRecipient(body), (send, isStep) =>
    accept(known, call, addressed(reached, send), messageId, isStep),
  );

async function accept(
  { environment, directory, templates, suppressed }: Known,
  call: Sender,
  body: SendMessage,
  messageId: string,
  isStep: boolean,
): Promise<Accepted> {
  const gateways = directory.gateways(environment, body.channel);
  requireGateway(gateways, body.channel, call.partner.partner_id, "");
  const recipient = recipientOf(body);
  checkCountry(recipient, call.partner.allowed_countries);
  requireGateway(gateways, body.channel, call.partner.partner_id, recipient.country);
  const plan = planSender(
    {
      pools: directory.senderPools(environment, call.account),
      rules: directory.senderRules(environment),
      gateways,
      partner: call.partner.partner_id,
    },
    body,
    recipient,
  );
  const ref = templateRefOf(body);
  const known = ref && templates.get(call.account, body.channel, ref.slug, ref.version);
  const template = known instanceof Promise ? await known : known;
  const media =
    body.media && (await mediaOf(body, (attachments) => findAttachments(call, attachments)));
  const contact = body.quiet_hours && (await contactZone(call, body, recipient.to));
  const nowMs = call.now();
  const accepted = acceptMessage({
    body,
    isStep,
    languages: languagesOfAll(gateways, body.channel, call.partner.partner_id, recipient.country),
    contactZone: contact,
    media,
    recipient,
    messageId,
    template,
    prices: pricesOf(directory, call.partner, nowMs),
    nowMs,
  });
  checkSuppressed(body, recipient, environment);
  const found = suppressed.find(call.partner.partner_id, accepted.data);
  const stop = found instanceof Promise ? await found : found;
  if (stop !== undefined) throw refuseSuppressed(stop);
  const { data } = accepted;
  if (plan.type === "pool") {
    const { pool, usable, preferred } = plan;
    return { ...accepted, asks: [{ pool, usable, to: data.to, preferred }] };
  }
  const { fields } = plan;
  return fields.sender_rule === undefined
    ? accepted
    : { ...accepted, data: { ...data, ...fields } };
}
