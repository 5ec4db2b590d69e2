import { readFileSync } from "node:fs";

type Item = {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly auth?: { readonly type: string };
    readonly header: readonly { readonly key: string; readonly value: string }[];
    readonly url: { readonly raw: string; readonly query: readonly Query[] };
    readonly body?: { readonly raw: string };
  };
};
type Query = { readonly key: string; readonly value: string; readonly disabled: boolean };

/** A request as the collection has it; `path` with `{id}` where somebody fills in an id. */
export type Collected = {
  /** `POST /messages/{id}/cancel`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly isPublic: boolean;
  readonly type: string | undefined;
  readonly body: string | undefined;
  /** What it cannot do without in its query. */
  readonly query: string;
};

/** What people import into Postman or Bruno, in its order. */
function collected(): readonly Collected[] {
  const file = new URL("../../../clients/heliograph.postman_collection.json", import.meta.url);
  const { item } = JSON.parse(readFileSync(file, "utf8")) as {
    item: readonly { readonly name: string; readonly item: readonly Item[] }[];
  };
  return item.flatMap((folder) =>
    folder.item.map(({ request: { method, auth, header, url, body } }) => {
      const path = url.raw.replace("{{baseUrl}}", "").replaceAll(/:(\w+)/g, "{$1}");
      return {
        name: `${method} ${path.replace("/api/v1", "")}`,
        method,
        path,
        isPublic: auth?.type === "noauth",
        type: header.find(({ key }) => key === "Content-Type")?.value,
        body: body?.raw,
        query: queryOf(url.query),
      };
    }),
  );
}

function queryOf(asked: readonly Query[]): string {
  const needed = asked.filter(({ disabled }) => !disabled);
  const text = new URLSearchParams(
    needed.map(({ key, value }): [string, string] => [key, value]),
  ).toString();
  return text === "" ? "" : `?${text}`;
}

/** The address with what is there, by the path that leads to it; `x` for what is not. `pattern` is the path without the ids. */
export function filledIn(
  path: string,
  there: Readonly<Record<string, string>>,
): { readonly address: string; readonly pattern: string } {
  let pattern = "";
  let address = "";
  for (const part of path.split("/").slice(1)) {
    pattern += `/${part}`;
    address += `/${part.startsWith("{") ? (there[pattern.replace("/api/v1", "")] ?? "x") : part}`;
  }
  return { address, pattern: pattern.replace("/api/v1", "") };
}

/** What a person has to fill in first, or what has to have happened: everything else of the collection is done as it stands, with the ids of what is there. */
export const toFillIn: Readonly<Record<string, readonly number[]>> = {
  // Ids and names in the body, and a choice in the query.
  "POST /conversations/{id}/read": [422],
  "POST /forks": [422],
  "GET /forks/{id}": [404],
  "POST /forks/{id}/cancel": [404],
  "POST /sandbox/receipts": [404],
  "PUT /admin/senders": [422],
  "PUT /admin/routing": [422],
  "PUT /admin/partners/{id}/price-list": [422],
  "PUT /contacts/by-external-id/{source}/{external_id}": [409],
  "GET /webhook-deliveries": [422],
  // Tokens, codes and signatures that come by mail, in an app or from a provider.
  "POST /callbacks/{gateway}/{token}": [404],
  "GET /callbacks/{gateway}/{token}": [404],
  "GET /unsubscribe/{token}": [404],
  "POST /unsubscribe/{token}": [404],
  "GET /attachments/{id}/content": [422],
  "POST /me/totp/confirm": [401],
  "DELETE /me/totp": [401],
  "POST /invitations/accept": [401],
  "POST /password-resets/confirm": [401],
  "POST /mobile/sessions": [401],
  "POST /mobile/sessions/refresh": [401],
  "POST /mobile/sessions/switch": [403],
  "GET /evaluations/access/{token}": [404],
  "POST /evaluations/access/{token}": [404],
  "GET /evaluations/take/{token}": [404],
  "POST /evaluations/take/{token}": [404],
  // What is not so: money to take away, something that failed, is scheduled or goes on, a second contact.
  "POST /admin/partners/{id}/adjustments": [402],
  "POST /admin/dead-letters/{id}/retry": [404],
  "POST /messages/{id}/cancel": [409],
  "POST /broadcasts/{id}/pause": [409],
  "POST /broadcasts/{id}/resume": [409],
  "POST /broadcasts/{id}/cancel": [409],
  "POST /backtests/{id}/cancel": [409],
  "POST /admin/projections/{name}/rebuild/{id}/cancel": [409],
  "GET /webhook-endpoints/{id}/replay/{replay}": [404],
  "POST /webhook-endpoints/{id}/replay/{replay}/cancel": [404],
  "POST /contacts/{id}/merge": [410],
  "POST /contacts/{id}/unmerge": [410],
  "DELETE /contacts/{id}/external-ids/{source}/{external_id}": [410],
  // It went with the one before it.
  "DELETE /mobile/devices/{id}": [401],
  "POST /admin/gateways/{id}/disable": [404],
};

const ending =
  /^DELETE |\/(disable|cancel|close|erase|merge|unmerge|erasure|password|reset|refresh|switch)$|^PATCH \/admin\/partners/;

/** A template before what is sent by it, what is made before what is done with it, and behind that what ends it. */
function placeOf({ name }: Collected): number {
  if (name === "POST /templates") return 0;
  if (/^POST (\/admin)?\/[a-z-]+$/.test(name)) return 1;
  if (name === "POST /sandbox/reset") return 4;
  return ending.test(name) ? 3 : 2;
}

/** All of them but the one whose answer has no end, so that each finds what it is about. */
export const inOrder = (): readonly Collected[] =>
  collected()
    .filter(({ name }) => name !== "GET /events/stream")
    .toSorted((one, other) => placeOf(one) - placeOf(other));
