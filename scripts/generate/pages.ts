import type { eventDefinitions } from "@heliograph/contracts";

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
