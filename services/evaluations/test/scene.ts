import { randomBytes } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { service as agents } from "@heliograph/agents";
import { service as control } from "@heliograph/control";
import { operator } from "@heliograph/platform";
import { smtpSink, until, webhookSink } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { expect } from "vitest";
import { service as wallet } from "@heliograph/wallet";
import { makeFormToken, nonceBytes } from "../src/form-token.ts";
import { service } from "../src/index.ts";

export const origin = "https://api.example.com";
export const services = [service, agents, control, wallet];
let number = 0;

export type Mail = { readonly to: readonly string[]; readonly raw: string; readonly text: string };
type Slack = { readonly text: string; readonly blocks: readonly object[] };

/** An installation with a mail server and a Slack of its own, whose evaluations run; and an operator. */
export async function openScene(
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly consumers?: "tables" | "run";
  } = {},
) {
  const { env, consumers = "run" } = options;
  const smtp = await smtpSink();
  const slack = await webhookSink();
  const world = await openWorld({
    services,
    consumers,
    env: {
      HELIOGRAPH_MAIL_URL: `smtp://127.0.0.1:${smtp.port}`,
      HELIOGRAPH_MAIL_FROM: "Heliograph <team@example.org>",
      HELIOGRAPH_SLACK_WEBHOOK_URL: `${slack.url}/services/T0/B0/secret`,
      HELIOGRAPH_PUBLIC_URL: origin,
      HELIOGRAPH_TRUST_PROXY: "loopback",
      HELIOGRAPH_RETRY_SCALE: "0.05",
      ...env,
    },
  });
  const admin = await world.addKey(operator.partner_id, {
    environment: "live",
    scopes: ["*", "admin"],
  });
  await world.appendPlatform(
    `partner-${operator.partner_id.slice(4)}`,
    "no_stream",
    "PartnerCreated",
    {
      ...operator,
      currency: "USD",
      created_at: new Date().toISOString(),
    },
  );
  const mails = (to?: string): readonly Mail[] =>
    smtp.messages
      .filter((mail) => to === undefined || mail.to.includes(to))
      .map(({ to: recipients, raw }) => ({ to: recipients, raw, text: plainOf(raw) }));
  const told = (): readonly Slack[] => slack.requests.map(({ body }) => JSON.parse(body));
  const post = (body: object, headers: Record<string, string> = {}) =>
    world.call("POST", "/api/v1/evaluations", {
      body: bodyOf(body),
      // Everybody from a network of their own.
      headers: { "x-forwarded-for": `198.18.${++number % 250}.1`, ...headers },
    });
  return {
    world,
    smtp,
    slack,
    admin,
    mails,
    told,
    post,
    /** What a form would hide, rendered so long ago. */
    form: (agoMs: number) => ({
      token: makeFormToken(world.platform.masterKey, Date.now() - agoMs, randomBytes(nonceBytes)),
    }),
    /** Asks as a new person; gives the id and the address. */
    async ask(body: { readonly company?: string; readonly email?: string } = {}) {
      const email = body.email ?? `visitor${++number}@example.com`;
      const answer = await post({ ...body, email });
      if (answer.status !== 202) throw new Error(answer.text);
      return { id: answer.body.id as string, email };
    },
    /** A page by its link, or what its form does. */
    open: (method: string, path: string, form?: string) =>
      world.call(method, path, {
        ...(form !== undefined && {
          raw: form,
          headers: { "content-type": "application/x-www-form-urlencoded" },
        }),
      }),
    /** Opens the page of a link to a key, and presses its button. */
    async fetchKey(link: string): Promise<string> {
      const form = pressIn((await this.open("GET", link)).text);
      return keyIn((await this.open("POST", link, form)).text);
    },
    mailTo: (to: string, count = 1) =>
      until(() => mails(to).length >= count && mails(to).at(-1), { what: `mail to ${to}` }),
    toldOf: (company: string, count = 1) =>
      until(() => {
        const found = told().filter(({ text }) => text.includes(`Company: ${company}\n`));
        return found.length >= count && found.at(-1)!;
      }),
    manage: (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
      world.call(method, `/api/v1/admin/evaluations${path}`, {
        key: admin,
        headers,
        ...(body && { body }),
      }),
    /** What the log has of an evaluation, whose last event is this one, opened as far as its key is there. */
    async openedEvents(id: string, last: string) {
      const events = await world.platform.platformLog.readStream(streamOf("evaluation", id));
      const open = await world.platform.contexts.live.vault.open(undefined, events);
      const opened = JSON.stringify(open(events.map(({ data }) => data)));
      expect(events.at(-1)!.type).toBe(last);
      return { opened };
    },
    /** The audit of an evaluation, once an action that ends so stands in it. */
    auditOf: (id: string, ends: string) =>
      until(async () => {
        const answer = await world.call("GET", `/api/v1/admin/audit?target=${id}`, { key: admin });
        const rows: readonly { action: string }[] = answer.body.data;
        return rows.some(({ action }) => action.endsWith(ends)) && answer;
      }),
    async close() {
      await world.close();
      await smtp.close();
      await slack.close();
    },
  };
}
export type Scene = Awaited<ReturnType<typeof openScene>>;

export const bodyOf = (body: object): object => ({
  company: "Acme",
  name: "Eve Example",
  email: "eve@example.com",
  use_case: "Order confirmations by SMS",
  ...body,
});

/** What each field refuses. */
export const unfit: readonly (readonly [string, string | number])[] = [
  ["name", "A\r\nBcc: x@y.example"],
  ["name", "A\u2028B"],
  ["name", "\u202eevE"],
  ["name", "…"],
  ["name", "\ud800"],
  ["company", "Acme\u0000"],
  ["company", "x".repeat(201)],
  ["company", " "],
  ["email", "eve@example.com\r\nBcc: x@y.example"],
  ["email", "eve"],
  ["email", "a@b@example.com"],
  ["email", `${"x".repeat(250)}@example.com`],
  ["use_case", "see http://a.example https://b.example www.c.example"],
  ["use_case", "x".repeat(2_001)],
  ["website", "javascript:alert(1)"],
  ["website", "https://user:secret@a.example/"],
  ["expected_volume", -1],
  ["slack_invite_url", "https://a.slack.com/"],
];

/** The path of a link of ours in a text. */
export const linkIn = (text: string): string =>
  new RegExp(`${origin}(/evaluations/\\S+)`).exec(text)![1]!;

export const keyIn = (html: string): string => /ak_test_\w{36}/.exec(html)![0];

/** What a press of the button sends that a page has. */
export const pressIn = (html: string): string =>
  `press=${/name="press" value="([\w-]+)"/.exec(html)![1]!}`;

/** Undoes quoted-printable (RFC 2045 §6.7), as every mail program does. */
const plainOf = (raw: string): string =>
  Buffer.from(
    raw
      .replaceAll("\r\n", "\n")
      .replaceAll("=\n", "")
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
    "latin1",
  ).toString();
