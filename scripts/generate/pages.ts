import type {
  ErrorCode,
  errorCatalogue,
  errorNotes,
  eventDefinitions,
} from "@heliograph/contracts";

type Operation = { readonly summary?: string; readonly description?: string };
/** The parts of an OpenAPI document that the table shows. */
export type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const methods = ["get", "post", "put", "patch", "delete"];
const cell = (text: string): string => text.replaceAll("|", "\\|");

/** `docs/reference/api.md`: every endpoint in one table. */
export function apiPage({ paths }: OpenApi): string {
  const rows = Object.entries(paths)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([path, operations]) =>
      methods.flatMap((method) => {
        const operation = operations[method];
        if (operation === undefined) return [];
        const scope = /Scope: (`[^`]+`)/.exec(operation.description ?? "")?.[1] ?? "none";
        return [
          `| ${method.toUpperCase()} | \`${path}\` | ${cell(operation.summary ?? "")} | ${scope} |`,
        ];
      }),
    );
  return `# Endpoints

Made by \`npm run generate\` from the routes. Fields, types and answers are in the OpenAPI 3.1 document,
[schemas/openapi.json](../../schemas/openapi.json), which a running instance serves at \`/api/v1/openapi.json\`.

| method | path | does | scope of the key |
|---|---|---|---|
${rows.join("\n")}
`;
}

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

/** `docs/reference/events.md`: every event of the log in one table. */
export function eventsPage(definitions: typeof eventDefinitions): string {
  const rows = definitions
    .toSorted((left, right) => (left.type < right.type ? -1 : 1))
    .map(
      ({ type, version, description }) =>
        `| [${type}](../../schemas/events/${type}.v${version}.json) | ${version} | ${cell(description)} |`,
    );
  return `# Events of the log

Made by \`npm run generate\` from \`packages/contracts/src/events\`. The log refuses an event whose data does not fit its JSON Schema, which the
name leads to. What partners see of them are the [lifecycle events](lifecycle-events.md).

| type | version | means |
|---|---|---|
${rows.join("\n")}
`;
}
