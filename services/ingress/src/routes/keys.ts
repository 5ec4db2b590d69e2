import { PublicError, isId, streamOf } from "@heliograph/contracts";
import type { Key } from "@heliograph/directory";
import { z } from "zod";
import { maxConflicts, tooManyChanges } from "../append.ts";
import { hasScope } from "../authenticate.ts";
import type { Call } from "../call.ts";
import { isCidr, issueKey } from "../keys.ts";
import { ListQuery, listBody, listOf, pageOf, slicePage } from "../listing.ts";
import { appendPlatform } from "../platform.ts";
import { type Answer, type Route, route } from "../route.ts";

/** Enough for a key per system and its successor during a rotation. */
const maxActiveKeys = 100;

const IssueKey = z
  .strictObject({
    name: z.string().min(1).max(200),
    environment: z.enum(["live", "sandbox"]).optional(),
    scopes: z
      .array(z.string().regex(/^(?:\*|admin|[a-z_]{1,30}:(?:read|write|\*))$/))
      .min(1)
      .max(50)
      .optional()
      .meta({ description: "Default: those of the key that issues it, without `admin`." }),
    expires_at: z.iso
      .datetime({ offset: true })
      .max(32)
      .refine((text) => Date.parse(text) > Date.now(), "must lie in the future")
      .optional(),
    allowed_cidrs: z
      .array(z.string().max(64).refine(isCidr, "is not an address or a CIDR block"))
      .min(1)
      .max(50)
      .optional(),
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
  .object({ ...shown, key: z.string().meta({ description: "Shown once." }) })
  .meta({ id: "IssuedKey" });

const isExpired = (key: Pick<Key, "expires_at">): boolean =>
  key.expires_at !== undefined && Date.parse(key.expires_at) <= Date.now();

const keyView = (key: Omit<Key, "revision">): object => ({
  id: key.key_id,
  prefix: key.prefix,
  name: key.name,
  environment: key.environment,
  scopes: key.scopes,
  expires_at: key.expires_at ?? null,
  allowed_cidrs: key.allowed_cidrs ?? [],
  status: key.revoked ? "revoked" : isExpired(key) ? "expired" : "active",
  created_at: key.created_at,
});

/** The partner's keys that this key may see: a sandbox key knows nothing of live. */
const visibleKeys = (call: Call<unknown, unknown>): readonly Key[] =>
  call.context.directory
    .keysOf(call.partner.partner_id)
    .filter((key) => call.env === "live" || key.environment === "sandbox");

async function issue(call: Call<z.infer<typeof IssueKey>, unknown>): Promise<Answer> {
  const { name, environment = call.env, expires_at, allowed_cidrs } = call.body;
  if (environment === "live" && call.env !== "live")
    throw new PublicError("insufficient_scope", "A sandbox key issues sandbox keys only.");
  const own = call.key.scopes;
  const scopes = call.body.scopes ?? own.filter((scope) => scope !== "admin");
  const beyond = scopes.find((scope) => !hasScope(own, scope));
  if (beyond !== undefined)
    throw new PublicError(
      "insufficient_scope",
      `A key cannot grant what it does not have: ${beyond}.`,
      { extra: { required_scope: beyond } },
    );
  const active = visibleKeys(call).filter((key) => !key.revoked && !isExpired(key));
  if (active.length >= maxActiveKeys)
    throw new PublicError("conflict", `A partner has at most ${maxActiveKeys} active keys.`);
  const { key, data, append } = issueKey(call, "", call.partner.partner_id, environment, {
    name,
    scopes: [...new Set(scopes)],
    ...(expires_at !== undefined && { expires_at }),
    ...(allowed_cidrs !== undefined && { allowed_cidrs }),
  });
  const { position } = await appendPlatform(call, [append]);
  return { status: 201, body: { ...keyView({ ...data, revoked: false }), key }, position };
}

async function revoke(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  for (let attempt = 0; attempt < maxConflicts; attempt++) {
    const key = isId("key", id) ? visibleKeys(call).find((item) => item.key_id === id) : undefined;
    if (key === undefined) throw new PublicError("not_found", "There is no such key.");
    if (key.revoked) return { status: 204 };
    const { conflicts } = await appendPlatform(call, [
      {
        stream: streamOf("key", id),
        expected: key.revision,
        events: [
          {
            id: call.eventId(`revoke ${id}`),
            type: "KeyRevoked",
            data: { key_id: id, partner_id: key.partner_id },
            metadata: call.metadata(),
          },
        ],
      },
    ]);
    if (conflicts === 0) return { status: 204 };
    // Somebody else revoked it, and the directory is about to show that.
    await call.context.directory.caughtUp(await call.context.platformLog.head());
  }
  throw tooManyChanges();
}

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
    response: undefined,
    errors: changeErrors,
    handler: revoke,
  }),
];
