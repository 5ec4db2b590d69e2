import {
  type Answer,
  type Call,
  type Route,
  originOfLinks,
  route,
  untilInEffect,
} from "@heliograph/api";
import { escapeHtml } from "@heliograph/domain";
import { keyOfLink, spendLink } from "../key.ts";
import { tokenHash } from "../links.ts";
import { readEvaluation } from "../read.ts";
import { findAccess } from "../tables/desk.ts";
import { noLink, ofPages, page } from "./html.ts";

const overLink = (): Answer =>
  page(
    410,
    "This link is used up",
    "<p>It shows a key once, and works for seven days. Ask for an evaluation again with the same address: you get another link to the same sandbox.</p>",
  );

/** Whose key a link shows, or the page that says why it shows none. */
async function openLink(
  call: Call<unknown, unknown>,
): Promise<
  { readonly sha256: string; readonly partner: string; readonly evaluation: string } | Answer
> {
  const sha256 = tokenHash(call.params["token"]!);
  const { context } = call;
  const found = await findAccess(context.platformPool, sha256);
  if (found === undefined) return noLink();
  const isSpent = context.directory.keyById(keyOfLink(sha256)) !== undefined;
  const { evaluation } = await readEvaluation(context.platformLog, found.evaluation_id);
  const partner = evaluation?.partner_id;
  if (found.expired || isSpent || partner === undefined) return overLink();
  return { sha256, partner, evaluation: found.evaluation_id };
}

/** Programs that look into mail open its links, some with scripts on: only the button spends one. */
async function showAccess(call: Call): Promise<Answer> {
  const link = await openLink(call);
  if ("status" in link) return link;
  return page(
    200,
    "Your sandbox key",
    `<p>The key is shown once. Have a place ready where you keep it.</p>
<form method="post"><button>Show the key</button></form>`,
  );
}

async function spendAccess(call: Call): Promise<Answer> {
  const link = await openLink(call);
  if ("status" in link) return link;
  const { context } = call;
  const spent = await spendLink(context.platformLog, link.sha256, link);
  if (spent === undefined) return overLink();
  await untilInEffect(call, spent.position);
  const origin = escapeHtml(originOfLinks(context.settings));
  const example = `curl ${origin}/api/v1/messages -H 'Authorization: Bearer ${spent.key}' -H 'Content-Type: application/json' -d '{"channel":"sms","to":"+15551230001","text":"Hello"}'`;
  return page(
    200,
    "Your sandbox key",
    `<p>This page shows it once.</p>
<p><code>${spent.key}</code></p>
<p>A first message:</p>
<pre>${example}</pre>`,
  );
}

export const accessRoutes: readonly Route[] = [
  route({
    ...ofPages,
    method: "GET",
    path: "/evaluations/access/:token",
    summary: "The page of a link that shows a sandbox key; opening it spends nothing",
    handler: showAccess,
  }),
  route({
    ...ofPages,
    method: "POST",
    path: "/evaluations/access/:token",
    summary: "Show the sandbox key of a link, once",
    mutates: true,
    idempotency: "none",
    handler: spendAccess,
  }),
];
