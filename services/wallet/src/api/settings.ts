import {
  type Answer,
  type Call,
  type Route,
  changeOnce,
  etagOf,
  requireMatch,
  route,
} from "@heliograph/api";
import { parseMoney, streamOf, type EventData, type Terms } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { z } from "zod";
import { plainMoney } from "./balance.ts";
import { Money } from "./money.ts";
import { Currency, needsAdmin, type Target, targetOf } from "./target.ts";
import { maxMovementMicros } from "./topup.ts";

const names = [
  "low_balance_threshold",
  "spend_limit_day",
  "spend_limit_month",
  "credit_limit",
] as const;

const Amount = (description: string) =>
  z
    .string()
    .max(24)
    .refine(
      (text) => (parseMoney(text) ?? -1n) >= 0n,
      "must be a decimal of at least 0 as text, with at most 6 digits behind the point",
    )
    .refine((text) => (parseMoney(text) ?? 0n) <= maxMovementMicros, "must be at most 1000000000")
    .nullable()
    .optional()
    .meta({ description, example: "25" });

const where = {
  currency: Currency.optional().meta({ description: "Of which wallet; the partner's own." }),
  partner_id: z.string().max(64).optional(),
  environment: z.enum(["live", "sandbox"]).optional(),
};
const SettingsQuery = z.strictObject(where);
const ChangeSettings = z
  .strictObject({
    low_balance_threshold: Amount("`wallet.low_balance` is told when the balance falls below it."),
    spend_limit_day: Amount("Most that is spent in a day of UTC."),
    spend_limit_month: Amount("Most that is spent in a month of UTC."),
    credit_limit: Amount("How far the balance may go below 0. For administrators."),
    ...where,
  })
  .meta({
    id: "ChangeWalletSettings",
    description: "What is left out stays as it is; null removes it.",
    example: { low_balance_threshold: "25", spend_limit_day: "250", spend_limit_month: "2500" },
  });

const Settings = z
  .object({
    currency: z.string(),
    low_balance_threshold: Money.nullable(),
    spend_limit_day: Money.nullable(),
    spend_limit_month: Money.nullable(),
    credit_limit: Money.nullable(),
  })
  .meta({ id: "WalletSettings" });

type State = EventData<"WalletTermsSet"> & { readonly revision: number };
const evolve = (state: State | undefined, event: RecordedEvent): State | undefined =>
  event.type === "WalletTermsSet" ? { ...event.data, revision: event.revision } : state;

const etag = (state: State | undefined): string => etagOf(state?.revision ?? -1);
const view = ({ currency }: Target, state: State | undefined): object => ({
  currency,
  ...Object.fromEntries(names.map((name) => [name, state?.terms[name] ?? null])),
});

async function show(call: Call<undefined, z.infer<typeof SettingsQuery>>): Promise<Answer> {
  const target = targetOf(call, call.query);
  const [last] = await target.deps.log.readStream(streamOf("terms", target.name), {
    backwards: true,
    limit: 1,
  });
  const state = last && evolve(undefined, last);
  return { status: 200, body: view(target, state), etag: etag(state) };
}

/** The terms stand in a stream of their own, so that they are changed one after the other; the wallet takes them up where they stand in the log. */
async function change(call: Call<z.infer<typeof ChangeSettings>, unknown>): Promise<Answer> {
  if (call.body.credit_limit !== undefined && !call.admin)
    throw needsAdmin("How much is lent is for administrators to say.");
  const target = targetOf(call, call.body);
  const decide = (state: State | undefined) => {
    requireMatch(call, etag(state));
    const terms = changed(state?.terms ?? {}, call.body);
    const isSame = names.every((name) => terms[name] === state?.terms[name]);
    const { currency, partner } = target;
    const data: EventData<"WalletTermsSet"> = {
      partner_id: partner.partner_id,
      currency,
      terms,
      set_at: formatTime(Date.now()),
    };
    return { events: isSame ? [] : [{ type: "WalletTermsSet" as const, data }] };
  };
  const { state, position } = await changeOnce<State>(call, {
    name: "wallet settings",
    stream: streamOf("terms", target.name),
    correlation: target.name,
    log: target.deps.log,
    partner: target.partner.partner_id,
    evolve,
    decide,
  });
  return { status: 200, body: view(target, state), etag: etag(state), position };
}

function changed(terms: Terms, body: z.infer<typeof ChangeSettings>): Terms {
  const next: Record<string, string> = {};
  for (const name of names) {
    const given = body[name] === undefined ? terms[name] : body[name];
    if (given !== undefined && given !== null) next[name] = plainMoney(given);
  }
  return next;
}

export const settingsRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/wallet/settings",
    folded: true,
    adminKeys: true,
    scope: "wallet:read",
    summary: "What the wallet decides by",
    query: SettingsQuery,
    response: Settings,
    etag: true,
    errors: ["invalid_request", "not_found"],
    handler: show,
  }),
  route({
    method: "PUT",
    path: "/wallet/settings",
    adminKeys: true,
    scope: "wallet:write",
    summary: "Set the low-balance threshold, spend limits and, for administrators, the credit",
    mutates: true,
    body: ChangeSettings,
    response: Settings,
    etag: true,
    errors: [
      "invalid_request",
      "malformed_json",
      "not_found",
      "conflict",
      "precondition_failed",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: change,
  }),
];
