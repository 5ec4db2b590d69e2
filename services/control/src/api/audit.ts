import { type Environment, environments } from "@heliograph/contracts";
import { z } from "zod";
import {
  type Answer,
  type Call,
  ListQuery,
  type Route,
  TimeInput,
  decodeCursor,
  encodeCursor,
  givenOnce,
  listOf,
  reachable,
  requireReach,
  route,
  sendStream,
  timeOf,
  writeCell,
} from "@heliograph/api";
import type { Entry, Source } from "../audit/entry.ts";
import { fromLog } from "../audit/from-log.ts";
import { type Bounds, type Direction, pageOfEntries } from "../audit/page.ts";
import { rowsOf } from "../audit/rows.ts";
import { logsOf } from "../audit/sealed.ts";
import type { AuditFilter } from "../tables/audit.ts";

const defaultPageSize = 25;
/** Read at once by an export. */
const exportRows = 500;

const filters = {
  actor: z.string().max(64).optional().meta({
    description:
      "The id of a key or an agent, `ops`, `unknown`, or for what the platform did by itself a service such as `service:wallet`.",
  }),
  action: z.string().max(255).optional().meta({
    description: "A call, or for what the platform did by itself the type of its event.",
    example: "POST /keys",
  }),
  target: z.string().max(256).optional().meta({
    description: "A path, an id that stands in one, or the id of what was made.",
  }),
  from: TimeInput.optional().meta({ description: "Inclusive." }),
  to: TimeInput.optional().meta({ description: "Exclusive." }),
};
const admins = {
  ...filters,
  environment: z.enum(["live", "sandbox"]).optional(),
  partner: z.string().max(64).optional(),
};
const OwnQuery = ListQuery.extend(filters);
const AdminQuery = ListQuery.extend(admins);
type AdminQuery = z.infer<typeof AdminQuery>;
const Format = z.enum(["csv"]).optional().meta({ description: "What the file is." });
const OwnExport = z.strictObject({ ...filters, format: Format });
const AdminExport = z.strictObject({ ...admins, format: Format });

const AuditView = z
  .object({
    id: z.string(),
    at: z.string(),
    environment: z.enum(["live", "sandbox"]),
    partner: z.string().nullable(),
    actor: z.string(),
    key_prefix: z.string().nullable(),
    action: z.string(),
    target: z.string(),
    subject: z.string().nullable(),
    request_id: z.string(),
    ip: z.string(),
    outcome: z.int().meta({ description: "The HTTP status." }),
    code: z.string().nullable(),
    count: z.int(),
    changes: z
      .object({
        events: z.array(z.string()).meta({ description: "The types of its events." }),
        before: z.record(z.string(), z.unknown()).nullable(),
        after: z.record(z.string(), z.unknown()),
      })
      .nullable(),
  })
  .meta({ id: "AuditEntry" });

const shownOf = ({ key: _, partner, ...rest }: Entry) => ({
  ...rest,
  partner: partner === "" ? null : partner,
});

type Asked = { readonly sources: readonly Source[]; readonly filter: AuditFilter };
type Filters = Partial<Record<keyof typeof filters, string>>;
type AnyCall = Call<undefined, Filters & { environment?: Environment; partner?: string }>;

const sourcesOf = (
  { context }: Pick<Call, "context">,
  environment: Environment,
): readonly Source[] => {
  const { projectionPool, log: own } = context.environments[environment];
  const logs = logsOf(environment, own, context.platformLog);
  return [
    rowsOf(environment, projectionPool),
    ...logs.map(({ name, log }) => fromLog(name, environment, log)),
  ];
};

const filterOf = ({ actor, action, target, from, to }: Filters): AuditFilter => ({
  ...(actor !== undefined && { actor }),
  ...(action !== undefined && { action }),
  ...(target !== undefined && { target }),
  ...(from !== undefined && { from: timeOf(from)! }),
  ...(to !== undefined && { to: timeOf(to)! }),
});

/** The caller's own partner in the key's environment. */
const ownOf = (call: AnyCall): Asked => ({
  sources: sourcesOf(call as Call, call.env),
  filter: { ...filterOf(call.query), partner: call.account },
});

/** All that the admin's key reaches. */
function allOf(call: AnyCall): Asked {
  const { environment, partner } = call.query;
  if (environment !== undefined) requireReach(call, environment);
  const wanted = environment === undefined ? reachable(call) : [environment];
  return {
    sources: environments
      .filter((each) => wanted.includes(each))
      .flatMap((each) => sourcesOf(call as Call, each)),
    filter: { ...filterOf(call.query), ...(partner !== undefined && { partner }) },
  };
}

async function list(
  call: Call<undefined, AdminQuery>,
  { sources, filter }: Asked,
): Promise<Answer> {
  const { masterKey } = call.context;
  const names = sources.map(({ name }) => name);
  const scope = `audit ${JSON.stringify([filter, names])} ${call.env} ${call.partner.partner_id}`;
  const { after, cursor, before, limit = defaultPageSize } = call.query;
  const open = (text: string | undefined, path: string): Bounds | undefined =>
    text === undefined ? undefined : (decodeCursor(masterKey, scope, text, path) as Bounds);
  const newerThan = open(before, "before");
  const direction: Direction = newerThan === undefined ? "older" : "newer";
  const bounds = newerThan ?? open(givenOnce({ after, cursor }), "after");
  const page = await pageOfEntries(sources, filter, { limit, bounds, direction });
  const seal = (on: Bounds | undefined): string | null =>
    on === undefined ? null : encodeCursor(masterKey, scope, on);
  const next = seal(page.older);
  const data = page.entries.map(shownOf);
  return {
    status: 200,
    body: { data, next_cursor: next, next_after: next, prev_cursor: seal(page.newer) },
  };
}

const columns = [
  "at",
  "environment",
  "partner",
  "actor",
  "key_prefix",
  "action",
  "target",
  "subject",
  "request_id",
  "ip",
  "outcome",
  "code",
  "count",
  "changes",
  "id",
] as const satisfies readonly (keyof Entry)[];

/** RFC 4180: a cell with a comma, a quote or a line break is quoted. */
const cell = (value: unknown): string => {
  if (typeof value === "number") return String(value);
  const text = writeCell(
    value === null || value === "" ? "" : typeof value === "string" ? value : JSON.stringify(value),
  );
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Every entry that fits, newest first. */
async function exported(call: AnyCall, { sources, filter }: Asked): Promise<Answer> {
  async function* texts(): AsyncGenerator<string> {
    yield `\uFEFF${columns.join(",")}\r\n`;
    for (let bounds: Bounds | undefined; ;) {
      const options = { limit: exportRows, bounds, direction: "older" } as const;
      const { entries, older } = await pageOfEntries(sources, filter, options);
      yield entries
        .map((entry) => `${columns.map((name) => cell(entry[name])).join(",")}\r\n`)
        .join("");
      if (older === undefined) return;
      bounds = older;
    }
  }
  return sendStream(call as Call, "csv", "audit", texts());
}

const ofAudit = { response: listOf(AuditView, "AuditList"), errors: ["invalid_request"] } as const;
const asFile = { status: 200, response: undefined, contentType: "text/csv" } as const;

export const auditRoutes: readonly Route[] = [
  route({
    ...ofAudit,
    method: "GET",
    path: "/audit",
    scope: "audit:read",
    summary:
      "Who changed what of the partner, sent, or was refused, and what the platform did by itself, newest first",
    query: OwnQuery,
    handler: (call) => list(call, ownOf(call as AnyCall)),
  }),
  route({
    ...asFile,
    method: "GET",
    path: "/audit/export",
    scope: "audit:read",
    summary: "The same as a file",
    query: OwnExport,
    errors: ["invalid_request"],
    handler: (call) => exported(call as AnyCall, ownOf(call as AnyCall)),
  }),
];

export const adminAuditRoutes: readonly Route[] = [
  route({
    ...ofAudit,
    method: "GET",
    path: "/admin/audit",
    scope: "admin",
    summary:
      "Who changed what, sent, or was refused, and what the platform did by itself, newest first",
    query: AdminQuery,
    errors: ["invalid_request", "not_found"],
    handler: (call) => list(call, allOf(call as AnyCall)),
  }),
  route({
    ...asFile,
    method: "GET",
    path: "/admin/audit/export",
    scope: "admin",
    summary: "The same as a file",
    query: AdminExport,
    errors: ["invalid_request", "not_found"],
    handler: (call) => exported(call as AnyCall, allOf(call as AnyCall)),
  }),
];
