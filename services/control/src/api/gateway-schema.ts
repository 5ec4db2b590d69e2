import { channels, environments, parseMoney } from "@heliograph/contracts";
import { z } from "zod";
import { Countries } from "./countries.ts";
import type { Gateway } from "../decide-gateway.ts";

/** What is done about a call whose outcome is not known, as the API calls it. */
const uncertain = {
  ask: "ask_provider",
  retry: "at_least_once",
  give_up: "at_most_once",
} as const satisfies Record<string, Gateway["on_uncertain"]>;

const Uncertain = z.enum(["ask", "retry", "give_up"]).meta({
  description:
    "What is done when it is not known whether the provider took a message: ask it, send again, or let it be. Default: ask where the provider can be asked, else give up.",
});
const Cost = z
  .string()
  .max(24)
  .refine(
    (text) => (parseMoney(text) ?? -1n) >= 0n,
    "must be a decimal of at least 0 as text, with at most 6 digits behind the point",
  )
  .meta({ description: "What a segment costs you there, for the policy `least_cost`." });
const CarriedCountries = Countries.meta({
  description: "Where it carries to; left out: everywhere.",
});
const Settings = z.record(z.string().max(64), z.unknown());
const secretText = z.string().min(1).max(10_000);
/** JSON, such as headers or a key file, is stored as text. */
const Secret = z.union([secretText, z.record(z.string(), z.unknown())]);
const maxPerSecond = z.number().min(0.01).max(1_000_000);
const maxInFlight = z.int().min(1).max(10_000);
const timeoutMs = z.int().min(100).max(120_000);
const slowAfterMs = z.int().min(10).max(120_000).meta({
  description:
    "From this duration on its calls can be slow: such a gateway is passed over while another can be had. Default: half of `timeout_ms`; as much as that: never.",
});
const weight = z.int().min(0).max(1_000);

export const CreateGateway = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
      error: "must be small letters, digits, dots, dashes and underscores, at most 64",
    }),
    environment: z.enum(environments).optional().meta({ description: "Default: the key's." }),
    channel: z.enum(channels),
    kind: z.string().min(1).max(32),
    settings: Settings.optional(),
    secrets: z.record(z.string().max(64), Secret).optional(),
    max_per_second: maxPerSecond.optional(),
    max_in_flight: maxInFlight.optional(),
    timeout_ms: timeoutMs.optional(),
    slow_after_ms: slowAfterMs.optional(),
    weight: weight.optional(),
    cost: Cost.optional(),
    countries: CarriedCountries.optional(),
    partner_id: z.string().max(64).optional(),
    enabled: z.boolean().optional(),
    uncertain: Uncertain.optional(),
  })
  .meta({
    id: "CreateGateway",
    example: {
      name: "mail-eu",
      channel: "email",
      kind: "smtp",
      settings: { url: "smtps://user@mail.example.org", from: "Shop <shop@example.org>" },
      secrets: { password: "correct horse battery staple" },
    },
  });
export type CreateGateway = z.infer<typeof CreateGateway>;

export const PatchGateway = z
  .strictObject({
    settings: Settings.optional().meta({ description: "In place of all settings it had." }),
    secrets: z
      .record(z.string().max(64), Secret.nullable())
      .optional()
      .meta({ description: "Those that change; null takes one away, the others stay." }),
    max_per_second: maxPerSecond.nullable().optional(),
    max_in_flight: maxInFlight.optional(),
    timeout_ms: timeoutMs.optional(),
    slow_after_ms: slowAfterMs.nullable().optional(),
    weight: weight.optional(),
    cost: Cost.nullable().optional(),
    countries: CarriedCountries.nullable().optional(),
    partner_id: z.string().max(64).nullable().optional(),
    enabled: z.boolean().optional(),
    uncertain: Uncertain.optional(),
  })
  .meta({
    id: "PatchGateway",
    example: { max_per_second: 10, weight: 100, countries: ["DE", "PL"] },
  });
export type PatchGateway = z.infer<typeof PatchGateway>;

export const AdminGateway = z
  .object({
    id: z.string(),
    name: z.string(),
    environment: z.enum(environments),
    channel: z.enum(channels),
    kind: z.string(),
    settings: Settings,
    secrets: z.array(z.string()).meta({ description: "The names of those it has; never shown." }),
    max_per_second: z.number().nullable(),
    max_in_flight: z.int(),
    timeout_ms: z.int(),
    slow_after_ms: z.int().nullable(),
    weight: z.int(),
    cost: z.string().nullable(),
    countries: z.array(z.string()).nullable(),
    partner_id: z.string().nullable(),
    enabled: z.boolean(),
    uncertain: Uncertain,
    callback_url: z.string().nullable().meta({
      description: "Where its provider posts; null where its provider posts nothing.",
    }),
  })
  .meta({ id: "AdminGateway" });

/** `callbackUrl` of a gateway whose provider calls. */
export const gatewayView = (
  config: Gateway,
  callbackUrl: string | null,
): z.infer<typeof AdminGateway> => ({
  id: config.gateway_id,
  name: config.name,
  environment: config.environment,
  channel: config.channel,
  kind: config.kind,
  settings: config.settings,
  secrets: Object.keys(config.secrets ?? {}),
  max_per_second: config.max_per_second ?? null,
  max_in_flight: config.max_concurrent,
  timeout_ms: config.timeout_ms,
  slow_after_ms: config.slow_after_ms ?? null,
  weight: config.weight,
  cost: config.cost ?? null,
  countries: config.countries ?? null,
  partner_id: config.partner_id ?? null,
  enabled: config.enabled,
  uncertain: uncertainOf(config.on_uncertain),
  callback_url: callbackUrl,
});

export const onUncertain = (given: keyof typeof uncertain): Gateway["on_uncertain"] =>
  uncertain[given];

const uncertainOf = (stored: Gateway["on_uncertain"]): keyof typeof uncertain =>
  stored === "ask_provider" ? "ask" : stored === "at_least_once" ? "retry" : "give_up";

/** The fields of a change as they are stored; null takes one away. */
export function patched(
  config: Gateway,
  { uncertain: given, max_in_flight, ...patch }: Omit<PatchGateway, "secrets">,
): Gateway {
  const fields = {
    ...config,
    ...Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)),
    ...(given !== undefined && { on_uncertain: onUncertain(given) }),
    ...(max_in_flight !== undefined && { max_concurrent: max_in_flight }),
  };
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null),
  ) as unknown as Gateway;
}

type Given = string | Readonly<Record<string, unknown>> | null;

/** Secrets as they are sealed. */
export const secretTexts = <Value extends Given>(
  secrets: Readonly<Record<string, Value>> = {},
): Readonly<Record<string, string | Extract<Value, null>>> =>
  Object.fromEntries(
    Object.entries(secrets).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? JSON.stringify(value) : value,
    ]),
  ) as Readonly<Record<string, string | Extract<Value, null>>>;
