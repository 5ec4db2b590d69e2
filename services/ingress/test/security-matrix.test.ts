import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openapiDocument, services } from "../src/index.ts";
import { filledIn, inOrder, toFillIn, type Collected } from "./collection.ts";

/** Every route of the document, by whoever has no business with it. A route that is added is tried by being in the document, and fails here until its ids can be made. */
type Operation = {
  readonly security?: readonly unknown[];
  readonly description?: string;
  readonly responses: Readonly<
    Record<string, { readonly headers?: object; readonly content?: object }>
  >;
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly example?: object }>>;
  };
};
type Endpoint = {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body: object | undefined;
};

const document = openapiDocument() as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const isPublic = ({ security }: Operation): boolean => security?.length === 0;
const all: readonly (Endpoint & { readonly operation: Operation })[] = Object.entries(
  document.paths,
).flatMap(([path, item]) =>
  ["get", "post", "put", "patch", "delete"].flatMap((verb) => {
    const operation = item[verb];
    if (operation === undefined) return [];
    const method = verb.toUpperCase();
    const body = operation.requestBody?.content["application/json"]?.example;
    return [{ name: `${method} ${path.replace("/api/v1", "")}`, method, path, body, operation }];
  }),
);
const guarded = all.filter(({ operation }) => !isPublic(operation));
const ofOperators = new Set(
  all
    .filter(({ operation }) => operation.description?.includes("Scope: `admin`"))
    .map(({ name }) => name),
);
const isAdmins = ({ name }: Endpoint): boolean => ofOperators.has(name);
const withIds = guarded.filter((each) => each.path.includes("{") && !isAdmins(each));

/** What an answer says of the log: where what was done stands in it, or how far it has seen. */
const positionsOf = (name: string, status: number): readonly string[] => {
  const { operation } = all.find((each) => each.name === name)!;
  const headers = Object.keys(operation.responses[String(status)]?.headers ?? {});
  return headers.filter((header) => /^(Log-Position|Projection-Lag)$/.test(header));
};

/** Where the example of the document means something else than what is tried here. */
const bodies: Readonly<Record<string, object>> = {
  "PUT /contacts/by-external-id/{source}/{external_id}": { name: "Theirs" },
  "POST /contacts/{id}/external-ids": { source: "sms", id: "+15559990001" },
  "POST /conversations/{id}/snooze": { until: new Date(Date.now() + 86_400_000).toISOString() },
  "PATCH /agents/{id}": { name: "Somebody" },
  "POST /webhook-endpoints/{id}/replay": { since: "2020-01-01T00:00:00Z" },
  "POST /event-consumers/{name}/commit": { sequence: 0 },
  "POST /event-consumers/{name}/reset": { sequence: 0 },
  "POST /keys/{id}/rotate": { overlap_seconds: 60 },
};
/** What a route asks for in its query. */
const queries: Readonly<Record<string, string>> = {
  "GET /messages/{id}/explain": "?field=status",
  "GET /conversations/{id}/explain": "?field=status",
};
/** Names that each partner gives as it likes: the same one is another thing for a stranger, who makes a contact or a reader of the feed, or sees a month, of its own. */
const ownNames = new Set([
  "PUT /contacts/by-external-id/{source}/{external_id}",
  "GET /wallet/statements/{month}",
  "POST /event-consumers/{name}/commit",
  "POST /event-consumers/{name}/reset",
]);
/** What is not there for its owner either. */
const nothingYet = new Set(["GET /contacts/{id}/erasure"]);

let world: World;
let owner: { readonly id: string; readonly key: string };
let live: string;
let stranger: { readonly id: string; readonly key: string };
let phones: { readonly own: string; readonly strange: string; readonly live: string };
let ids: Readonly<Record<string, string>>;
const dataDir = await mkdtemp(join(tmpdir(), "heliograph-matrix-"));

beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    partners: [{}, {}],
    env: { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" },
  });
  [owner, stranger] = world.partners as [typeof owner, typeof stranger];
  live = await world.addKey(owner.id, { environment: "live" });
  ids = await thingsOf(owner.key);
}, 60_000);
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true });
});

const call = (method: string, path: string, key?: string, body?: object) =>
  world.call(method, path.startsWith("/api/v1") ? path : `/api/v1${path}`, {
    ...(key !== undefined && { key }),
    ...(body !== undefined && { body }),
  });
const make = async (path: string, body: object, key?: string): Promise<Record<string, string>> => {
  const answer = await call("POST", path, key, body);
  if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
  return answer.body as Record<string, string>;
};

const phone = "+15551230042";
const signIn = async (key: string, environment: "live" | "sandbox") => {
  const email = `${environment}.${key.slice(-8).toLowerCase()}@example.com`;
  const password = "correct horse battery";
  const body = { email, password, name: "Somebody", role: "owner", environments: [environment] };
  const agent = await make("/agents", body, key);
  const device = { name: "phone", platform: "ios" };
  const session = await make("/mobile/sessions", { email, password, environment, device });
  return { agent: agent["id"]!, token: session["access_token"]! };
};

/** One of each thing that has an id, in the sandbox of a partner, by the path that leads to it. */
async function thingsOf(key: string): Promise<Readonly<Record<string, string>>> {
  const own = await signIn(key, "sandbox");
  phones = {
    own: own.token,
    strange: (await signIn(stranger.key, "sandbox")).token,
    live: (await signIn(live, "live")).token,
  };
  const contact = await make(
    "/contacts",
    { name: "Ada", external_ids: [{ source: "sms", id: phone }] },
    key,
  );
  const endpoint = await make("/webhook-endpoints", { url: "http://127.0.0.1:9/" }, key);
  const reader = await make("/event-consumers/billing/reset", { sequence: 0 }, key);
  const test = await make(`/webhook-endpoints/${endpoint["id"]}/test`, {}, key);
  const replay = await make(
    `/webhook-endpoints/${endpoint["id"]}/replay`,
    { since: "2020-01-01T00:00:00Z" },
    key,
  );
  const message = await make("/messages", { channel: "sms", to: phone, text: "Hello" }, key);
  const template = await make(
    "/templates",
    { slug: "hello", channel: "sms", default_language: "en", languages: { en: { text: "Hello" } } },
    key,
  );
  const broadcast = await make(
    "/broadcasts",
    { audience: { tag: "nobody" }, channel: "sms", text: "Hello" },
    key,
  );
  const suppression = await make("/suppressions", { channel: "sms", to: "+15551239999" }, key);
  const team = await make("/teams", { name: "Support", agent_ids: [], routing: "manual" }, key);
  const numbers = { name: "numbers", channel: "sms", senders: ["+15550100001"] };
  const pool = await make("/sender-pools", numbers, key);
  const raw = async (path: string, type: string, body: string) => {
    const headers = { "content-type": type };
    const answer = await world.call("POST", `/api/v1${path}`, { key, raw: body, headers });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
    return answer.body.id as string;
  };
  const png = "\x89PNG\r\n\x1a\n";
  const attachment = await world.call("POST", "/api/v1/attachments?name=a.png", {
    key,
    raw: new Uint8Array(Buffer.from(png, "latin1")),
    headers: { "content-type": "image/png" },
  });
  await make("/sandbox/inbound", { channel: "sms", from: phone, text: "Hi" }, key);
  const first = (path: string, by = key): Promise<string> =>
    until(async () => (await call("GET", path, by)).body.data[0]?.id as string);
  const device = await make(
    "/mobile/devices",
    { fcm_token: "token", platform: "android" },
    own.token,
  );
  // A live key sees the keys of the sandbox too; what a sandbox key may not see is one of live.
  const liveKey = await make("/keys", { name: "theirs" }, live);
  return {
    "/messages/{id}": message["id"]!,
    "/conversations/{id}": await first("/conversations"),
    "/contacts/{id}": contact["id"]!,
    "/contacts/by-external-id/{source}": "sms",
    "/contacts/by-external-id/{source}/{external_id}": encodeURIComponent(phone),
    "/contacts/{id}/external-ids/{source}": "sms",
    "/contacts/{id}/external-ids/{source}/{external_id}": encodeURIComponent(phone),
    "/contact-imports/{id}": await raw(
      "/contact-imports",
      "text/csv",
      "name,phone\nBob,+15551230043\n",
    ),
    "/broadcasts/{id}": broadcast["id"]!,
    "/templates/{id}": template["id"]!,
    "/templates/{id}/versions/{version}": "1",
    "/suppressions/{id}": suppression["id"]!,
    "/agents/{id}": own.agent,
    "/sender-pools/{id}": pool["id"]!,
    "/teams/{id}": team["id"]!,
    "/mobile/sessions/{id}": await first("/mobile/sessions", own.token),
    "/mobile/devices/{id}": device["id"]!,
    "/attachments/{id}": attachment.body.id as string,
    "/webhook-endpoints/{id}": endpoint["id"]!,
    "/event-consumers/{name}": reader["name"]!,
    "/webhook-endpoints/{id}/replay/{replay}": (replay["replay_id"] ?? replay["id"])!,
    "/webhook-deliveries/{id}": (test["delivery_id"] ?? test["id"])!,
    "/keys/{id}": liveKey["id"]!,
    "/wallet/statements/{month}": new Date().toISOString().slice(0, 7),
  };
}

/** The path with the owner's ids in it. Throws for one that `thingsOf` does not make. */
function pathOf({ name, path }: Endpoint): string {
  let pattern = "";
  let address = "";
  for (const part of path.replace("/api/v1", "").split("/").slice(1)) {
    pattern += `/${part}`;
    const id = part.startsWith("{") ? ids[pattern] : part;
    if (id === undefined) throw new Error(`${name}: thingsOf makes no id for ${pattern}`);
    address += `/${id}`;
  }
  return `${address}${queries[name] ?? ""}`;
}
const bodyOf = ({ name, body, method }: Endpoint): object | undefined =>
  bodies[name] ?? (method === "GET" ? undefined : body);
const isOfPhones = ({ path }: Pick<Endpoint, "path">): boolean =>
  /^\/api\/v1\/(mobile|me)\b/.test(path);
const isOfKeys = ({ path }: Pick<Endpoint, "path">): boolean => path.startsWith("/api/v1/keys/");

/** What every route answered that did not answer as it should. */
async function wrong(
  endpoints: readonly Endpoint[],
  expected: (status: number, endpoint: Endpoint) => boolean,
  ask: (endpoint: Endpoint) => ReturnType<typeof call>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const each of endpoints) {
    const { status, text } = await ask(each);
    if (!expected(status, each)) found.push(`${each.name}: ${status} ${text.slice(0, 200)}`);
  }
  return found;
}

const readable = (): readonly Endpoint[] =>
  withIds.filter(({ method, name }) => method === "GET" && !nothingYet.has(name));
const byOwner = (each: Endpoint) =>
  call(
    each.method,
    pathOf(each),
    isOfPhones(each) ? phones.own : isOfKeys(each) ? live : owner.key,
  );
const is =
  (wanted: number) =>
  (status: number): boolean =>
    status === wanted;

test("there is a matrix, and its owner sees what others are tried on", async () => {
  expect(withIds.length).toBeGreaterThan(45);
  expect(await wrong(readable(), is(200), byOwner)).toEqual([]);
});

test("without a key every route is 401, also with ids that are there", async () => {
  const ask = (each: Endpoint) =>
    call(
      each.method,
      each.path.includes("{") && !isAdmins(each)
        ? pathOf(each)
        : each.path.replaceAll(/\{\w+\}/g, "x"),
    );
  expect(await wrong(guarded, is(401), ask)).toEqual([]);
});

test("with a key or a session whose scopes are others every route is 403", async () => {
  const none = await world.addKey(owner.id, { scopes: ["nothing:read"] });
  const ask = (each: Endpoint) => call(each.method, each.path.replaceAll(/\{\w+\}/g, "x"), none);
  expect(await wrong(guarded, is(403), ask)).toEqual([]);
});

test("every route of operators refuses partners: with a key that may do everything else, and as an owner", async () => {
  const admins = guarded.filter(isAdmins);
  expect(admins.length).toBeGreaterThan(10);
  for (const key of [owner.key, live, phones.own, phones.live]) {
    const ask = (each: Endpoint) =>
      call(each.method, each.path.replaceAll(/\{\w+\}/g, "x"), key, bodyOf(each));
    expect(await wrong(admins, is(403), ask)).toEqual([]);
  }
});

test("a stranger's key finds none of the ids, and neither does a key of the other environment", async () => {
  const isHidden = (status: number, { name }: Endpoint): boolean =>
    status === 404 || (ownNames.has(name) && [200, 201].includes(status));
  const strange = (each: Endpoint) =>
    call(each.method, pathOf(each), isOfPhones(each) ? phones.strange : stranger.key, bodyOf(each));
  expect(await wrong(withIds, isHidden, strange)).toEqual([]);
  const elsewhere = (each: Endpoint) =>
    call(
      each.method,
      pathOf(each),
      isOfPhones(each) ? phones.live : isOfKeys(each) ? owner.key : live,
      bodyOf(each),
    );
  expect(await wrong(withIds, isHidden, elsewhere)).toEqual([]);
  expect(await wrong(readable(), is(200), byOwner)).toEqual([]);
});

test("files and streams have the headers of every answer, wait for a position as others do, and are counted", async () => {
  const types = ["text/csv", "application/x-ndjson", "text/event-stream"];
  const streams = guarded.filter(
    ({ method, operation: { responses } }) =>
      method === "GET" && types.some((type) => type in (responses["200"]?.content ?? {})),
  );
  expect(streams.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      "GET /usage",
      "GET /wallet/statements/{month}",
      "GET /audit/export",
      "GET /admin/audit/export",
      "GET /contacts/export",
      "GET /contact-imports/{id}/errors",
    ]),
  );
  const counted = async (route: string): Promise<number> => {
    const { text } = await world.call("GET", "/metrics");
    const name = `heliograph_http_request_seconds_count{method="GET",route="${route}",status="200"}`;
    return Number(
      text
        .split("\n")
        .find((line) => line.startsWith(name))
        ?.split(" ")
        .at(-1) ?? 0,
    );
  };
  const admin = await world.addKey(owner.id, { scopes: ["admin"] });
  // Kept in memory, and ended at once.
  streams.push(...guarded.filter(({ name }) => name === "GET /keys" || name === "GET /limits"));
  const position = String(await world.platform.contexts.sandbox.log.head());
  for (const each of streams) {
    const { name, path } = each;
    const key = isAdmins(each) ? admin : owner.key;
    const own = path.includes("{") ? pathOf(each) : path.replace("/api/v1", "");
    const csv = /usage|statements/.test(path) ? "?format=csv" : "";
    const ask = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${world.port}/api/v1${own}${csv}`, {
        headers: { authorization: `Bearer ${key}`, ...headers },
      });
    const route = path.replace("/api/v1", "").replaceAll(/\{(\w+)\}/g, ":$1");
    const before = await counted(route);
    const answer = await ask({ "min-log-position": position });
    await answer.body!.cancel();
    const { headers } = answer;
    expect([name, answer.status, headers.get("x-content-type-options")]).toEqual([
      name,
      200,
      "nosniff",
    ]);
    expect([name, headers.get("cache-control")]).toEqual([
      name,
      name.endsWith("/stream") ? "no-store, no-transform" : "no-store",
    ]);
    for (const header of ["request-id", "ratelimit", "ratelimit-policy"])
      expect(headers.get(header), `${header} of ${name}`).toMatch(/./);
    expect(await counted(route), name).toBe(before + 1);
    expect(headers.get("projection-lag"), name).toMatch(/^\d+$/);
    expect((await ask({ "min-log-position": "soon" })).status, name).toBe(422);
  }
});

test("the collection for Postman and Bruno: each of its requests is answered with what it is there for, as the document says", async () => {
  const operator = await world.addKey(owner.id, { scopes: ["admin"], environment: "live" });
  const keyOf = (each: Collected): string | undefined => {
    if (each.isPublic) return undefined;
    if (ofOperators.has(each.name) || each.path.startsWith("/api/v1/admin/")) return operator;
    return isOfKeys(each) ? live : isOfPhones(each) ? phones.own : owner.key;
  };
  const there: Record<string, string> = { ...ids, "/admin/projections/{name}": "messages" };
  const wrongly: string[] = [];
  for (const each of inOrder()) {
    const key = keyOf(each);
    const { address, pattern } = filledIn(each.path, there);
    const { status, body, text, headers } = await world.call(each.method, address + each.query, {
      ...(key !== undefined && { key }),
      ...(each.body !== undefined && { raw: each.body, headers: { "content-type": each.type! } }),
    });
    for (const says of key !== undefined && status < 300 ? positionsOf(each.name, status) : [])
      if (!headers.has(says)) wrongly.push(`${each.name}: no ${says}`);
    if (status >= 300 && !(toFillIn[each.name] ?? []).includes(status))
      wrongly.push(`${each.name}: ${status} ${text.slice(0, 200)}`);
    // What it made is what the others are asked about, and of what is made elsewhere the first of a list.
    const id: unknown = each.method === "POST" ? body?.id : body?.data?.[0]?.id;
    if (typeof id === "string" && (each.method === "POST" || !(`${pattern}/{id}` in there)))
      there[`${pattern}/{id}`] = id;
  }
  expect(wrongly).toEqual([]);
}, 60_000);
