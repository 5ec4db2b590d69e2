import { randomBytes } from "node:crypto";
import {
  type Answer,
  type ApiContext,
  type Call,
  type Route,
  originOfLinks,
  route,
} from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import { LogUnavailable } from "@heliograph/log";
import { isMachinery } from "@heliograph/runtime";
import { keyOfLink, type Link, spendLink } from "../key.ts";
import { tokenHash } from "../links.ts";
import { readEvaluation } from "../read.ts";
import { findAccess } from "../tables/desk.ts";
import { also, formOf, noLink, ofForms, ofPages, Page, page } from "./html.ts";

const overLink = (): Answer =>
  page(
    410,
    "This link is used up",
    html`<p>It shows a key once, and works for seven days. Ask for an evaluation again with the same address: you get another link to the same sandbox.</p>`,
  );

/** Whose key a link shows, or the page that says why it shows none. */
async function openLink(call: Call<unknown, unknown>): Promise<Link | Answer> {
  const sha256 = tokenHash(call.params["token"]!);
  const { context } = call;
  const found = await findAccess(context.platformPool, sha256);
  if (found === undefined) return noLink();
  const { evaluation } = await readEvaluation(context.platformLog, found.evaluation_id);
  const partner = evaluation?.partner_id;
  if (found.expired || partner === undefined) return overLink();
  return { sha256, partner, evaluation: found.evaluation_id };
}

/** Programs that look into mail open its links, some with scripts on: only the button spends one. */
async function showAccess(call: Call): Promise<Answer> {
  const link = await openLink(call);
  if ("status" in link) return link;
  const isSpent = call.context.directory.keyById(keyOfLink(link.sha256)) !== undefined;
  return isSpent ? overLink() : buttonPage();
}

const buttonPage = (): Answer =>
  page(
    200,
    "Your sandbox key",
    html`<p>The key is shown once. Have a place ready where you keep it.</p>
${button(randomBytes(pressBytes).toString("base64url"))}`,
  );

const pressBytes = 18;
const isPress = (text: string): boolean => /^[\w-]{24}$/.test(text);
const button = (press: string): Html =>
  html`<form method="post"><input type="hidden" name="press" value="${press}"><button>Show the key</button></form>`;

async function spendAccess(call: Call): Promise<Answer> {
  const press = (await formOf(call)).text("press");
  if (!isPress(press)) return showAccess(call);
  try {
    const link = await openLink(call);
    if ("status" in link) return link;
    const spent = await spendLink(call.context, link, press);
    return spent === undefined ? overLink() : await keyPage(call.context, spent);
  } catch (error) {
    if (!(error instanceof LogUnavailable) && !isMachinery(error)) throw error;
    // Whether the key was made nobody knows: the same press makes the same.
    return page(
      503,
      "Your sandbox key",
      html`<p>Not yet: try again in a moment.</p>${button(press)}`,
    );
  }
}

/** The link is spent by now: the key is shown, whether or not each process knows it already. */
async function keyPage(
  { directory, settings }: Pick<ApiContext, "directory" | "settings">,
  { key, position }: { readonly key: string; readonly position: bigint },
): Promise<Answer> {
  const isInEffect = await directory.caughtUp(position).then(
    () => true,
    () => false,
  );
  const origin = originOfLinks(settings);
  const example = `curl ${origin}/api/v1/messages -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '{"channel":"sms","to":"+15551230001","text":"Hello"}'`;
  return page(
    200,
    "Your sandbox key",
    html`<p>This page shows it once.${isInEffect ? "" : " It works within seconds."}</p>
<p><code>${key}</code></p>
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
    summary: "Show the sandbox key of a link, once; a minute long again to the same press",
    mutates: true,
    idempotency: "none",
    ...ofForms,
    also: { ...also, 503: { description: "Press again in a moment.", response: Page } },
    errors: [],
    handler: spendAccess,
  }),
];
