import { type Answer, type Call, type Route, route, tooManyChanges } from "@heliograph/api";
import { accountOf, deterministicId, PublicError, streamOf, uuid5 } from "@heliograph/contracts";
import {
  coveredBy,
  decideStart,
  evolveSuppression,
  formatTime,
  type Suppression,
} from "@heliograph/domain";
import { readUnsubscribeToken } from "@heliograph/gateways";
import { html, type Html } from "@heliograph/html";
import { change, type EventLog } from "@heliograph/log";
import { erasedText, type Vault } from "@heliograph/vault";
import { z } from "zod";
import { mailedTo } from "../mailed-to.ts";
import { place } from "../placed.ts";
import { recipientOf } from "../seal.ts";

/** A form has one field; what a mail program posts has no more. */
const maxBodyBytes = 8_192;

const Path = z.object({
  token: z.string().max(64).meta({ description: "What makes the link unguessable." }),
});
type LinkCall = Call<unknown, unknown, z.infer<typeof Path>>;
type Place = { readonly log: EventLog; readonly vault: Vault };
/** `now` is the partner's, as RFC 3339. */
type Message = {
  readonly id: string;
  readonly partner: string;
  readonly to: string;
  readonly now: string;
};

/** The message of a link, and the address that it went to; `erased` once nobody knows that any more. Throws `not_found`. */
async function messageOf({
  context,
  params,
}: LinkCall): Promise<{ readonly place: Place; readonly message: Message }> {
  const link = readUnsubscribeToken(context.masterKey, params.token);
  const nothing = new PublicError("not_found", "There is nothing at this address.");
  if (link === undefined) throw nothing;
  const { log, vault, clock } = context.environments[link.environment];
  const [first] = await log.readStream(streamOf("message", link.messageId), { limit: 1 });
  const sealed = first?.type === "MessageRequested" ? mailedTo(first.data) : undefined;
  if (first === undefined || sealed === undefined) throw nothing;
  const partner = first.metadata.partner ?? "";
  const to = (await vault.open(partner, sealed))(sealed);
  return {
    place: { log, vault },
    message: { id: link.messageId, partner, to, now: formatTime(clock.now(partner)) },
  };
}

/** Begins a period for marketing, unless one is active that stops as much. One that the partner has ended since begins anew. */
async function unsubscribe({ log, vault }: Place, message: Message): Promise<void> {
  const { partner, to } = message;
  const channel = "email";
  const { name, seal } = await recipientOf(vault, { partner, channel, to });
  let known: Suppression = [];
  for await (const event of log.scanStream(streamOf("suppression", name)))
    known = evolveSuppression(known, event);
  const kind = { reason: "unsubscribe", applies_to: "marketing" } as const;
  if (coveredBy(known, kind) !== undefined) return;
  const id = deterministicId("sup", "unsubscribe", message.id, String(known.length));
  const metadata = { partner, actor: "service:suppressions", correlation: message.id };
  await place(log, id, name, metadata);
  const wanted = {
    ...kind,
    suppression_id: id,
    name,
    channel,
    to: seal(to),
    evidence: { message_id: message.id },
    started_at: message.now,
  } as const;
  const result = await change<Suppression>(log, {
    stream: streamOf("suppression", name),
    eventId: uuid5(id, "started"),
    metadata,
    evolve: evolveSuppression,
    decide: (periods = []) => ({ events: decideStart(periods, wanted) }),
  });
  if (result.kind === "contended") throw tooManyChanges();
}

const page = (title: string, body: Html): Answer => ({
  status: 200,
  body: String(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>${title}</title>
        </head>
        <body>
          <main>
            <h1>${title}</h1>
            ${body}
          </main>
        </body>
      </html>`,
  ),
  headers: {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
  },
});

const senderName = ({ context }: LinkCall, { partner }: Message): string =>
  context.directory.partner(accountOf(partner))?.name ?? "this sender";

/** Changes nothing: programs that look for viruses follow every link of a mail (RFC 8058 §1). */
async function ask(call: LinkCall): Promise<Answer> {
  const { message } = await messageOf(call);
  const name = senderName(call, message);
  return page(
    "Unsubscribe",
    html`<p>Get no more advertising by e-mail from ${name}?</p>
      <form method="post">
        <input type="hidden" name="List-Unsubscribe" value="One-Click" />
        <button type="submit">Unsubscribe</button>
      </form>`,
  );
}

/** What a mail program posts, or the page above. Who posts twice is told the same. */
async function post(call: LinkCall): Promise<Answer> {
  // Whatever is in it: that somebody posts to the link is all there is to know.
  for await (const _ of call.chunks());
  const { place: where, message } = await messageOf(call);
  if (message.to !== erasedText) await unsubscribe(where, message);
  const name = senderName(call, message);
  return page(
    "You are unsubscribed",
    html`<p>You get no more advertising by e-mail from ${name}.</p>`,
  );
}

const about = {
  path: "/unsubscribe/:token",
  scope: "public",
  params: Path,
  query: z.looseObject({}),
  response: z.string().meta({ description: "A page for the recipient." }),
  contentType: "text/html",
  errors: ["not_found"],
  audit: "never",
} as const;

export const unsubscribeRoutes: readonly Route[] = [
  route({
    ...about,
    method: "GET",
    summary: "Ask the recipient of a mail whether to unsubscribe; changes nothing",
    handler: ask,
  }),
  route({
    ...about,
    method: "POST",
    summary: "Unsubscribe the recipient of a mail from marketing, with one click (RFC 8058)",
    errors: ["not_found", "log_unavailable"],
    streams: ["*/*"],
    maxBodyBytes,
    handler: post,
  }),
];
