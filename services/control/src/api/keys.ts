import { PublicError, isAdminKey, isId, streamOf } from "@heliograph/contracts";
import type { Key } from "@heliograph/platform";
import { parseTime } from "@heliograph/domain";
import { holding } from "@heliograph/runtime";
import { z } from "zod";
import {
  type Answer,
  appendPlatform,
  type Call,
  changeOnce,
  endOf,
  etagOf,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  parseBlock,
  requireMatch,
  type Route,
  route,
  slicePage,
  TimeInput,
  untilInEffect,
} from "@heliograph/api";
import { decideRevoke, evolve, isVisible, type KeyState } from "../decide-key.ts";
import { grantOf, requireKnown } from "../grant.ts";
import { issueKey, shownKey } from "../issue-key.ts";
import { usesOf } from "../key-use.ts";
import { callerOf, IssuedKey, keyView, KeyView, RotatedKey, visibleKeys } from "./key-view.ts";
import { RotateKey, rotate } from "./rotate-key.ts";

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

const IssueAdminKey = IssueKey.omit({ environment: true, scopes: true }).meta({
  id: "IssueAdminKey",
});
type IssueKey = z.infer<typeof IssueKey>;

async function issue(call: Call<unknown, unknown>, asked: IssueKey): Promise<Answer> {
  const { name, environment = call.env } = asked;
  if (environment === "live" && call.env !== "live")
    throw new PublicError("insufficient_scope", "A sandbox key issues sandbox keys only.");
  requireKnown(call, asked.scopes ?? []);
  const made = issueKey(call, "", call.account, environment, {
    name,
    ...grantOf(call.key, asked),
  });
  const { data, append } = made;
  const { platformPool, platformLog, directory } = call.context;
  const { position, repeated } = await holding(platformPool, `keys ${call.account}`, async () => {
    // Those whom others have issued count: each is a stream of its own, which no revision guards.
    await directory.caughtUp(await platformLog.head());
    const active = visibleKeys(call).filter((item) => endOf(item, Date.now()) === undefined);
    if (active.length >= maxActiveKeys && !active.some((item) => item.key_id === data.key_id))
      throw new PublicError("conflict", `A partner has at most ${maxActiveKeys} active keys.`);
    return appendPlatform(call, [append]);
  });
  const issued = call.context.directory.keyById(data.key_id) ?? {
    ...data,
    revoked: false,
    revision: 0,
  };
  return {
    status: 201,
    body: { ...keyView(issued), key: shownKey(call, made, repeated) },
    position,
  };
}

/** Which keys a table of routes is about. */
type Which = (key: Pick<Key, "prefix">) => boolean;
const every: Which = () => true;
const ofAdmins: Which = ({ prefix }) => isAdminKey(prefix);

const keyNotFound = (): PublicError => new PublicError("not_found", "There is no such key.");

/** Throws `not_found`, also for what the caller may not see. */
async function requireKey(call: Call<unknown, unknown>, which: Which): Promise<Key> {
  const { directory, platformLog } = call.context;
  const id = call.params["id"]!;
  if (!isId("key", id)) throw keyNotFound();
  // Another process may have issued it a moment ago.
  if (directory.keyById(id) === undefined) await untilInEffect(call, await platformLog.head());
  const key = directory.keyById(id);
  if (key === undefined || !isVisible(key, callerOf(call)) || !which(key)) throw keyNotFound();
  return key;
}

/** The time passes without an event: the state stands in the tag beside the revision. */
const tagOf = (key: KeyState): string => etagOf(key.revision, endOf(key, Date.now()) ?? "active");

async function show(call: Call<unknown, unknown>, which: Which): Promise<Answer> {
  const key = await requireKey(call, which);
  const uses = await usesOf(call, [key]);
  return { status: 200, body: keyView(key, uses.get(key.key_id)), etag: tagOf(key) };
}

async function revoke(call: Call, which: Which): Promise<Answer> {
  const { key_id: id } = await requireKey(call, which);
  const caller = callerOf(call);
  const { position } = await changeOnce<KeyState>(call, {
    log: call.context.platformLog.forPartner(caller.partner),
    stream: streamOf("key", id),
    name: `revoke ${id}`,
    correlation: id,
    evolve,
    decide(key) {
      const decision = decideRevoke(key, caller);
      if ("refusal" in decision) return { refusal: keyNotFound() };
      requireMatch(call, tagOf(key!));
      return decision;
    },
  });
  await untilInEffect(call, position);
  return { status: 204, position };
}

async function list(call: Call<undefined, ListQuery>, which: Which, name: string): Promise<Answer> {
  const page = pageOf(call, name);
  const keyOf = (key: Key): string => `${key.created_at} ${key.key_id}`;
  const sorted = visibleKeys(call)
    .filter(which)
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const rows = slicePage(sorted, page, keyOf);
  const uses = await usesOf(call, rows);
  const view = (key: Key): object => keyView(key, uses.get(key.key_id));
  return { status: 200, body: listBody(call, name, page, rows, keyOf, view) };
}

const changeErrors = [
  "not_found",
  "conflict",
  "precondition_failed",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
const bodyErrors = ["invalid_request", "malformed_json", ...changeErrors] as const;

const issuing = {
  method: "POST",
  mutates: true,
  status: 201,
  response: IssuedKey,
  errors: bodyErrors,
} as const;

/** What is done with the keys there are: of a partner at `/keys`, of operators at `/admin/keys`. */
function routesOfKeys(
  path: string,
  which: Which,
  of: { readonly read: string; readonly write: string; readonly name: string },
): readonly Route[] {
  const { read, write, name } = of;
  return [
    route({
      method: "GET",
      path,
      scope: read,
      summary: `List ${name}s, oldest first`,
      query: ListQuery,
      response: listOf(KeyView, which === every ? "KeyList" : "AdminKeyList"),
      errors: ["invalid_request"],
      handler: (call) => list(call, which, path.slice(1)),
    }),
    route({
      method: "GET",
      path: `${path}/:id`,
      scope: read,
      summary: `One ${name}`,
      etag: true,
      // Its last use is none of the tag: else whoever changes a key that is in use could never name its state.
      showsMore: true,
      response: KeyView,
      errors: ["not_found", "log_unavailable"],
      handler: (call) => show(call, which),
    }),
    route({
      method: "POST",
      path: `${path}/:id/rotate`,
      scope: write,
      summary: `Make the successor of an ${name}; the old one works too until the overlap ends`,
      mutates: true,
      etag: true,
      status: 201,
      body: RotateKey,
      response: RotatedKey,
      errors: bodyErrors,
      handler: async (call) => rotate(call, await requireKey(call, which), tagOf),
    }),
    route({
      method: "DELETE",
      path: `${path}/:id`,
      scope: write,
      summary: `Revoke an ${name}`,
      mutates: true,
      evenSuspended: true,
      etag: true,
      response: undefined,
      errors: changeErrors,
      handler: (call) => revoke(call, which),
    }),
  ];
}

export const keyRoutes: readonly Route[] = [
  route({
    ...issuing,
    path: "/keys",
    scope: "keys:write",
    summary: "Issue an API key",
    body: IssueKey,
    handler: (call) => issue(call, call.body),
  }),
  ...routesOfKeys("/keys", every, { read: "keys:read", write: "keys:write", name: "API key" }),
];

export const adminKeyRoutes: readonly Route[] = [
  route({
    ...issuing,
    path: "/admin/keys",
    scope: "admin",
    summary: "Issue an admin key, for the administration alone",
    body: IssueAdminKey,
    handler: (call) => issue(call, { ...call.body, environment: "live", scopes: ["admin"] }),
  }),
  ...routesOfKeys("/admin/keys", ofAdmins, { read: "admin", write: "admin", name: "admin key" }),
];
