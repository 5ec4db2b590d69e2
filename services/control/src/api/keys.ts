import { PublicError, isId, streamOf } from "@heliograph/contracts";
import type { Key } from "@heliograph/platform";
import { formatTime, parseTime } from "@heliograph/domain";
import { z } from "zod";
import {
  changeOnce,
  isWithin,
  parseBlock,
  blocksOf,
  endOf,
  hasScope,
  type Call,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  slicePage,
  appendPlatform,
  showsSecrets,
  untilInEffect,
  type Answer,
  type Route,
  route,
  TimeInput,
} from "@heliograph/api";
import { decideRevoke, evolveKey, type KeyState } from "../decide-revoke.ts";
import { issueKey } from "../issue-key.ts";

/** Enough for a key per system and its successor during a rotation. */
const maxActiveKeys = 100;

const IssueKey = z
  .strictObject({
    name: z.string().min(1).max(200),
    environment: z.enum(["live", "sandbox"]).optional(),
    scopes: z.array(z.string().max(64)).min(1).max(50).optional().meta({
      description:
        "Scopes of the API, `messages:*` for every verb of an area, `*` for everything but `admin`. Default: those of the key that issues it, without `admin`.",
    }),
    expires_at: TimeInput.refine(
      (text) => (parseTime(text) ?? Infinity) > Date.now(),
      "must lie in the future",
    )
      .optional()
      .meta({
        description: "Not later than that of the key that issues it, which is the default.",
      }),
    allowed_cidrs: z
      .array(
        z
          .string()
          .max(64)
          .refine((text) => parseBlock(text) !== undefined, "is not an address or a CIDR block"),
      )
      .min(1)
      .max(50)
      .optional()
      .meta({
        description: "Within those of the key that issues it, which are the default.",
      }),
  })
  .meta({ id: "IssueKey" });

const shown = {
  id: z.string(),
  prefix: z.string(),
  name: z.string(),
  environment: z.enum(["live", "sandbox"]),
  scopes: z.array(z.string()),
  expires_at: z.string().nullable(),
  allowed_cidrs: z.array(z.string()),
  status: z.enum(["active", "expired", "revoked"]),
  created_at: z.string(),
};
const KeyView = z.object(shown).meta({ id: "Key" });
const IssuedKey = z
  .object({
    ...shown,
    key: z.string().nullable().meta({
      description:
        "Shown once: null when an idempotency key is used again after its answer was dropped.",
    }),
  })
  .meta({ id: "IssuedKey" });

const keyView = (key: Omit<Key, "revision">): object => ({
  id: key.key_id,
  prefix: key.prefix,
  name: key.name,
  environment: key.environment,
  scopes: key.scopes,
  expires_at: key.expires_at ?? null,
  allowed_cidrs: key.allowed_cidrs ?? [],
  status: endOf(key, Date.now()) ?? "active",
  created_at: key.created_at,
});

/** The partner's keys that this key may see: a sandbox key knows nothing of live. */
const visibleKeys = (call: Call<unknown, unknown>): readonly Key[] =>
  call.context.directory
    .keysOf(call.partner.partner_id)
    .filter((key) => call.env === "live" || key.environment === "sandbox");

type IssueKey = z.infer<typeof IssueKey>;

/** Throws `invalid_request` for a scope that no route asks for: a typing error is not silently ignored. */
function requireKnown(call: Call<unknown, unknown>, scopes: readonly string[]): void {
  const known = new Set(["*", ...call.context.scopes]);
  for (const scope of call.context.scopes)
    if (scope.includes(":")) known.add(`${scope.split(":")[0]}:*`);
  const errors = scopes.flatMap((scope, index) =>
    known.has(scope)
      ? []
      : [
          {
            path: `scopes.${index}`,
            code: "unknown_scope",
            message: `there are ${[...known].sort().join(", ")}`,
          },
        ],
  );
  if (errors.length > 0)
    throw new PublicError("invalid_request", "There is no such scope.", { errors });
}

/** A key is never wider, longer or less bound than the one that issues it: what is left out is its issuer's, and what goes beyond is refused. */
function grantOf(
  issuer: Pick<Key, "scopes" | "expires_at" | "allowed_cidrs">,
  asked: IssueKey,
): Pick<Key, "scopes" | "expires_at" | "allowed_cidrs"> {
  const refuse = (what: string, scope?: string): never => {
    throw new PublicError(
      "insufficient_scope",
      `A key cannot grant what it does not have: ${what}.`,
      {
        ...(scope !== undefined && { extra: { required_scope: scope } }),
      },
    );
  };
  const scopes = asked.scopes ?? issuer.scopes.filter((scope) => scope !== "admin");
  const beyond = scopes.find((scope) => !hasScope(issuer.scopes, scope));
  if (beyond !== undefined) refuse(beyond, beyond);
  const expires_at =
    asked.expires_at === undefined ? issuer.expires_at : formatTime(parseTime(asked.expires_at)!);
  if (issuer.expires_at !== undefined && Date.parse(expires_at!) > Date.parse(issuer.expires_at))
    refuse(`use after ${issuer.expires_at}`);
  const allowed_cidrs = asked.allowed_cidrs ?? issuer.allowed_cidrs;
  const outer = blocksOf(issuer);
  const outside =
    outer.length === 0
      ? undefined
      : allowed_cidrs!.find((text) => !isWithin(parseBlock(text)!, outer));
  if (outside !== undefined) refuse(`use from ${outside}`);
  return {
    scopes: [...new Set(scopes)],
    ...(expires_at !== undefined && { expires_at }),
    ...(allowed_cidrs !== undefined && { allowed_cidrs }),
  };
}

async function issue(call: Call<IssueKey, unknown>): Promise<Answer> {
  const { name, environment = call.env } = call.body;
  if (environment === "live" && call.env !== "live")
    throw new PublicError("insufficient_scope", "A sandbox key issues sandbox keys only.");
  requireKnown(call, call.body.scopes ?? []);
  const grant = grantOf(call.key, call.body);
  const { key, data, append } = issueKey(call, "", call.partner.partner_id, environment, {
    name,
    ...grant,
  });
  const active = visibleKeys(call).filter((item) => endOf(item, Date.now()) === undefined);
  if (active.length >= maxActiveKeys && !active.some((item) => item.key_id === data.key_id))
    throw new PublicError("conflict", `A partner has at most ${maxActiveKeys} active keys.`);
  const { position, repeated } = await appendPlatform(call, [append]);
  const issued = call.context.directory.keyById(data.key_id) ?? { ...data, revoked: false };
  return {
    status: 201,
    body: { ...keyView(issued), key: showsSecrets(call, repeated) ? key : null },
    position,
  };
}

async function revoke(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  if (!isId("key", id)) throw keyNotFound();
  const caller = { partner: call.partner.partner_id, environment: call.env };
  const { position } = await changeOnce<KeyState>(call, {
    log: call.context.platformLog.forPartner(caller.partner),
    stream: streamOf("key", id),
    name: `revoke ${id}`,
    correlation: id,
    evolve: evolveKey,
    decide(key) {
      const decision = decideRevoke(key, caller);
      return "refusal" in decision ? { refusal: keyNotFound() } : decision;
    },
  });
  await untilInEffect(call, position);
  return { status: 204 };
}

const keyNotFound = (): PublicError => new PublicError("not_found", "There is no such key.");

function list(call: Call<undefined, ListQuery>): Answer {
  const page = pageOf(call, "keys");
  const keyOf = (key: Key): string => `${key.created_at} ${key.key_id}`;
  const sorted = visibleKeys(call).toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const rows = slicePage(sorted, page, keyOf);
  return { status: 200, body: listBody(call, "keys", page, rows, keyOf, keyView) };
}

const changeErrors = [
  "not_found",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const keyRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/keys",
    scope: "keys:write",
    summary: "Issue an API key",
    mutates: true,
    status: 201,
    body: IssueKey,
    response: IssuedKey,
    errors: ["invalid_request", "malformed_json", ...changeErrors],
    handler: issue,
  }),
  route({
    method: "GET",
    path: "/keys",
    scope: "keys:read",
    summary: "List API keys, oldest first",
    query: ListQuery,
    response: listOf(KeyView, "KeyList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "DELETE",
    path: "/keys/:id",
    scope: "keys:write",
    summary: "Revoke an API key",
    mutates: true,
    evenSuspended: true,
    response: undefined,
    errors: changeErrors,
    handler: revoke,
  }),
];
