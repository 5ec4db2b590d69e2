import {
  typesIn,
  type Category,
  type ErrorCode,
  type errorCatalogue,
  type errorNotes,
  type eventDefinitions,
} from "@heliograph/contracts";

type Operation = { readonly summary?: string; readonly description?: string };
/** The parts of an OpenAPI document that the table shows. */
export type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const methods = ["get", "post", "put", "patch", "delete"];
const cell = (text: string): string => text.replaceAll("|", "\\|");

const scopeIn = ({ description }: Operation): string | undefined =>
  /Scope: `([^`]+)`/.exec(description ?? "")?.[1];
const isForOperators = (operation: Operation): boolean => scopeIn(operation) === "admin";

/** `docs/reference/api.md`: every endpoint but those of operators, in one table. */
export const apiPage = ({ paths }: OpenApi): string => `# Endpoints

Made by \`npm run generate\` from the routes. Fields, types and answers are in the OpenAPI 3.1 document,
[schemas/openapi.json](../../schemas/openapi.json), which a running instance serves at \`/api/v1/openapi.json\`. Those for operators, whose scope is \`admin\`, are [on a page of their own](admin-api.md).

${endpointTable(paths, (operation) => !isForOperators(operation))}
`;

/** `docs/reference/admin-api.md`: the endpoints of operators. */
export const adminApiPage = ({ paths }: OpenApi): string => `# Endpoints for operators

Made by \`npm run generate\` from the routes, as [the others](api.md). An operator's key or session reaches them.

${endpointTable(paths, isForOperators)}
`;

function endpointTable(
  paths: OpenApi["paths"],
  isShown: (operation: Operation) => boolean,
): string {
  const rows = Object.entries(paths)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([path, operations]) =>
      methods.flatMap((method) => {
        const operation = operations[method];
        if (operation === undefined || !isShown(operation)) return [];
        const scope = scopeIn(operation);
        return [
          `| ${method.toUpperCase()} | \`${path}\` | ${cell(operation.summary ?? "")} | ${scope === undefined ? "none" : `\`${scope}\``} |`,
        ];
      }),
    );
  return `| method | path | does | scope of the key |
|---|---|---|---|
${rows.join("\n")}`;
}

/** `docs/reference/scopes.md`: every scope, what it opens and which roles have it; one that is not described yet is there by its name. */
export function scopesPage(
  scopes: Readonly<Record<string, string>>,
  roles: Readonly<Record<string, readonly string[]>>,
  { paths }: OpenApi,
): string {
  const asked = Object.values(paths).flatMap((operations) =>
    Object.values(operations).flatMap((operation) => scopeIn(operation) ?? []),
  );
  const rows = [...new Set([...Object.keys(scopes), ...asked])].map((scope) => {
    const means = scopes[scope] ?? "";
    const count = asked.filter((each) => each === scope).length;
    const area = `${scope.split(":")[0]}:*`;
    const held = Object.entries(roles)
      .filter(([, has]) => has.some((each) => [scope, area].includes(each)) || isAll(has, scope))
      .map(([role]) => role);
    return `| \`${scope}\` | ${cell(means)} | ${count} | ${held.join(", ")} |`;
  });
  return `# Scopes

Made by \`npm run generate\` from \`packages/contracts/src/scopes.ts\` and the roles. A key or a role has a list of them; [endpoints](api.md) names the one that each asks for.
Besides these there are \`*\`, everything but \`admin\`, and \`messages:*\` and its like, every scope of an area. [Keys](../guides/keys.md) says how they are given.

| scope | lets its holder | endpoints | roles |
|---|---|---|---|
${rows.join("\n")}
`;
}

const isAll = (has: readonly string[], scope: string): boolean =>
  has.includes("*") && scope !== "admin";

/** `docs/reference/errors.md`: every code with what to do about it, as an instance shows at `/errors/{code}`. */
export function errorsPage(catalogue: typeof errorCatalogue, notes: typeof errorNotes): string {
  const sections = Object.entries(catalogue).map(
    ([code, { status, title }]) =>
      `## ${code}\n${status} · ${title}\n\n${notes[code as ErrorCode]}\n`,
  );
  return `# Errors

Every refusal is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`, and our \`code\`, \`request_id\`,
\`doc_url\` and, where fields are wrong, \`errors: [{path, code, message}]\`. Decide by \`code\`: \`detail\` is for people and may change.
\`doc_url\` opens what stands here, on the instance itself. Anything that is not in \`detail\` is kept from the caller on purpose; give support the
\`request_id\`.

Retry after 408, 409 \`idempotency_in_progress\`, 429, 500 and 503, with the same \`Idempotency-Key\`, after \`Retry-After\` where it is given.

${sections.join("\n")}`;
}

/** The streams of whom messages go to, who answers them and who asks for an account; all others are on the first page. */
const aboutPeople = [
  "contact",
  "import",
  "conversation",
  "thread",
  "team",
  "presence",
  "agent",
  "login",
  "session",
  "evaluation",
  "rota",
  "file",
] as const satisfies readonly Category[];
const peoplesTypes: ReadonlySet<string> = new Set(
  aboutPeople.flatMap((category) => typesIn(category) ?? []),
);

/** `docs/reference/events.md`: the events of the log that are not about people. */
export const eventsPage = (definitions: typeof eventDefinitions): string => `# Events of the log

Made by \`npm run generate\` from \`packages/contracts/src/events\`. The log refuses an event whose data does not fit its JSON Schema, which the
name leads to. What partners see of them are the [lifecycle events](lifecycle-events.md). Those of contacts, conversations, agents and evaluations are [on a page of their own](people-events.md).

${eventTable(definitions.filter(({ type }) => !peoplesTypes.has(type)))}
`;

/** `docs/reference/people-events.md`: those that are. */
export const peopleEventsPage = (
  definitions: typeof eventDefinitions,
): string => `# Events of the log about people

Made by \`npm run generate\`, as [the others](events.md): what the log holds of contacts, conversations, agents and evaluations.

${eventTable(definitions.filter(({ type }) => peoplesTypes.has(type)))}
`;

function eventTable(definitions: typeof eventDefinitions): string {
  const rows = definitions
    .toSorted((left, right) => (left.type < right.type ? -1 : 1))
    .map(
      ({ type, version, description }) =>
        `| [${type}](../../schemas/events/${type}.v${version}.json) | ${version} | ${cell(description)} |`,
    );
  return `| type | version | means |
|---|---|---|
${rows.join("\n")}`;
}
