import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { heliograph } from "../src/index.ts";
import { table } from "../src/made/table.ts";

type Parameter = { readonly in: string; readonly name: string };
type Document = {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly parameters?: readonly Parameter[] }>>>
  >;
};
const document = JSON.parse(
  readFileSync(new URL("../../../schemas/openapi.json", import.meta.url), "utf8"),
) as Document;

/** A client whose requests are taken down and answered with `{}`. */
function recorded() {
  const requests: { method: string; url: string; headers: Headers; body: unknown }[] = [];
  const client = heliograph({
    key: "ak_test_x",
    baseUrl: "http://platform.test/api/v1/",
    fetch: async (url, init) => {
      const { method = "GET", headers, body } = init ?? {};
      requests.push({ method, url: url as string, headers: new Headers(headers), body });
      return Response.json({ data: [] });
    },
  });
  return { client, requests };
}

const methodAt = (client: object, name: string): ((...given: unknown[]) => unknown) =>
  name
    .split(".")
    .reduce<unknown>((group, part) => (group as Record<string, unknown>)[part], client) as (
    ...given: unknown[]
  ) => unknown;

test("every operation of the document is a method that asks for just it", async () => {
  const wanted = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const { client, requests } = recorded();
  const asked: string[] = [];
  for (const [name, row] of Object.entries(table)) {
    const params = [...row.path.matchAll(/\{(\w+)\}/g)].map(([, param]) => `:${param}:`);
    const rest = row.body ? [row.body === "json" ? { some: "thing" } : "bytes"] : [];
    const answer = methodAt(client, name)(...params, ...rest);
    if (row.answer === "list") await (answer as { page(): Promise<unknown> }).page();
    else if (row.answer === "stream")
      await expect((answer as AsyncGenerator).next()).rejects.toThrow("no stream");
    else await answer;
    const { method, url, body, headers } = requests.at(-1)!;
    asked.push(
      `${method} ${url.replace("http://platform.test", "").replaceAll(/%3A(\w+)%3A/g, "{$1}")}`,
    );
    expect(body !== undefined, `${name} has a body`).toBe(row.body !== undefined);
    expect(headers.has("idempotency-key"), `${name} has a key`).toBe(row.key === true);
    expect(headers.get("authorization")).toBe("Bearer ak_test_x");
  }
  expect(asked.toSorted()).toEqual(wanted.toSorted());
});

test("the collection for Postman has every operation of the document once", () => {
  type Item = { readonly request: { method: string; url: { path: readonly string[] } } };
  const collection = JSON.parse(
    readFileSync(
      new URL("../../../clients/heliograph.postman_collection.json", import.meta.url),
      "utf8",
    ),
  ) as { item: readonly { item: readonly Item[] }[] };
  const had = collection.item.flatMap(({ item }) =>
    item.map(({ request: { method, url } }) => `${method} /${url.path.join("/")}`),
  );
  const wanted = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map(
      (method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
    ),
  );
  expect(had.toSorted()).toEqual(wanted.toSorted());
});

test("the query, the body and the options stand where the platform looks for them", async () => {
  const { client, requests } = recorded();
  const sent = { channel: "sms", to: "+15551230001", text: "hello" } as const;
  await client.messages.send(sent, {
    idempotencyKey: "order-1",
    wait: 10,
    query: { dry_run: true },
  });
  await client.messages
    .list({ status: ["sent", "failed"], limit: 2 }, { minLogPosition: "12" })
    .page();
  await client.contacts.update("cnt_1", { name: "Ada" }, { ifMatch: '"7"' });
  await client.contacts.byExternalId.get("crm", "a/b ?", { ifNoneMatch: '"7"' });
  await client.contactImports.create("name\nAda\n", { contentType: "text/csv" });
  const [send, list, update, get, imported] = requests;
  expect(send!.url).toBe("http://platform.test/api/v1/messages?dry_run=true");
  expect(JSON.parse(send!.body as string)).toEqual(sent);
  expect(send!.headers.get("idempotency-key")).toBe("order-1");
  expect(send!.headers.get("prefer")).toBe("wait=10");
  expect(list!.url).toMatch(/\?status=sent%2Cfailed&limit=2$/);
  expect(list!.headers.get("min-log-position")).toBe("12");
  expect(update!.headers.get("if-match")).toBe('"7"');
  expect(get!.url).toMatch(/by-external-id\/crm\/a%2Fb%20%3F$/);
  expect(get!.headers.get("if-none-match")).toBe('"7"');
  expect(imported!.headers.get("content-type")).toBe("text/csv");
});

test("an id that would lead elsewhere is refused before anything is sent", () => {
  const { client, requests } = recorded();
  for (const id of ["", ".", "..", undefined as unknown as string])
    expect(() => client.keys.delete(id), String(id)).toThrow("id must be a text that is not empty");
  expect(requests).toEqual([]);
});

test("the version that it says is the package's", () => {
  const manifest = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const { client, requests } = recorded();
  void client.status();
  return expect
    .poll(() => requests[0]?.headers.get("user-agent"))
    .toContain(`heliograph-client/${manifest.version} `);
});
