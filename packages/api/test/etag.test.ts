import { route, type Service } from "../src/index.ts";
import { deprecation } from "../src/deprecation.ts";
import { etagOf, isUnchanged, requireMatch } from "../src/etag.ts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

const ifMatch = (header?: string) => ({
  request: { headers: { "if-match": header } },
});
const ifNoneMatch = (header?: string) => ({ request: { headers: { "if-none-match": header } } });
type Conditional = Parameters<typeof requireMatch>[0];
const matches = (header?: string): boolean => {
  try {
    requireMatch(ifMatch(header) as Conditional, '"7"');
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "precondition_failed", status: 412 });
    return false;
  }
};
const unchanged = (header?: string) => isUnchanged(ifNoneMatch(header) as Conditional, '"7"');

it("is made of what tells states apart", () => {
  expect(etagOf(7)).toBe('"7"');
  expect(etagOf(7, 12n)).toBe('"7-12"');
});

it("If-Match is compared strongly, If-None-Match weakly, and both take lists and *", () => {
  expect([undefined, "*", '"7"', '"6", "7"'].map(matches)).toEqual([true, true, true, true]);
  expect(['"6"', 'W/"7"', '"77"', "7", ""].map(matches)).toEqual(Array(5).fill(false));
  expect(["*", '"7"', 'W/"7"', '"6", W/"7"'].map(unchanged)).toEqual(Array(4).fill(true));
  expect(() => requireMatch(ifMatch("*") as Conditional, undefined)).toThrow("nothing yet");
  expect([undefined, '"6"', "7"].map(unchanged)).toEqual(Array(3).fill(false));
});

describe("a route whose answers have tags", () => {
  let world: World;
  let revision = 0;
  const shape = {
    scope: "*",
    etag: true,
    errors: [],
    response: z.object({ version: z.int() }),
  } as const;
  const service: Service = {
    name: "control",
    api: {
      groups: [
        {
          tag: "t",
          description: "t",
          routes: [
            route({
              ...shape,
              method: "GET",
              path: "/thing",
              summary: "Get it",
              handler: () => ({ status: 200, body: { version: revision }, etag: etagOf(revision) }),
            }),
            route({
              ...shape,
              method: "GET",
              path: "/shown",
              summary: "Get what has no tag of its own",
              handler: () => ({ status: 200, body: { version: revision } }),
            }),
            route({
              method: "PUT",
              path: "/untold",
              scope: "*",
              errors: [],
              response: z.object({ version: z.int() }),
              summary: "Change what nobody can tell apart",
              mutates: true,
              body: z.strictObject({}),
              handler: () => ({ status: 200, body: { version: ++revision } }),
            }),
            route({
              method: "POST",
              path: "/old",
              scope: "*",
              errors: [],
              response: z.object({}),
              summary: "Do what is to go",
              deprecated: deprecation("2026-12-01", "2027-12-01"),
              handler: () => ({ status: 200, body: {} }),
            }),
            ...[{}, { etag: true } as const].map((tagged, at) =>
              route({
                ...tagged,
                method: "POST",
                path: ["/shown/:id/start", "/made"][at]!,
                scope: "*",
                errors: [],
                response: z.object({ version: z.int() }),
                summary: "Command it",
                mutates: true,
                handler: () => ({ status: 200, body: { version: ++revision } }),
              }),
            ),
            route({
              ...shape,
              method: "PATCH",
              path: "/thing",
              summary: "Change it",
              mutates: true,
              body: z.strictObject({}),
              handler: (call) => {
                requireMatch(call, etagOf(revision));
                revision++;
                return { status: 200, body: { version: revision }, etag: etagOf(revision) };
              },
            }),
          ],
        },
      ],
    },
  };
  const call = (method: string, headers: Record<string, string>, path = "/thing") =>
    world.call(method, `/api/v1${path}`, {
      key: world.partners[0]!.key,
      headers,
      ...(method !== "GET" && { body: {} }),
    });

  beforeAll(async () => {
    world = await openWorld({ services: [service], partners: [{}] });
  });
  afterAll(() => world.close());

  it("answers 304 without a body to who has the state, and 412 to who changes another one", async () => {
    const first = await call("GET", {});
    const tag = first.headers.get("etag")!;
    const again = await call("GET", { "if-none-match": tag });
    expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", tag]);

    const changed = await call("PATCH", { "if-match": tag });
    expect([changed.status, changed.headers.get("etag")]).toEqual([200, '"1"']);
    const late = await call("PATCH", { "if-match": tag });
    expect([late.status, late.body]).toMatchObject([
      412,
      { code: "precondition_failed", etag: '"1"' },
    ]);
    expect((await call("GET", { "if-none-match": tag })).body).toEqual({ version: 1 });
  });

  it("tags what is shown by its body where nothing smaller tells, and passes over no If-Match where nothing has a tag", async () => {
    const first = await call("GET", {}, "/shown");
    const tag = first.headers.get("etag")!;
    expect((await call("GET", { "if-none-match": tag }, "/shown")).status).toBe(304);
    const refused = await call("PUT", { "if-match": tag }, "/untold");
    expect([refused.status, refused.body.code]).toEqual([412, "precondition_failed"]);
    // A command, and what makes something: neither looks at the state that is named.
    for (const path of ["/shown/1/start", "/made"])
      expect((await call("POST", { "if-match": tag }, path)).status).toBe(412);
    expect((await call("GET", {}, "/shown")).body).toEqual(first.body);
    expect((await call("PUT", { "if-match": "*" }, "/untold")).status).toBe(200);
    expect((await call("GET", { "if-none-match": tag }, "/shown")).status).toBe(200);
  });

  it("says in every answer of a route that is to go since when, and when it ends", async () => {
    const url = `http://127.0.0.1:${world.port}/api/v1/old`;
    const authorization = `Bearer ${world.partners[0]!.key}`;
    for (const [headers, status] of [
      [{ authorization }, 200],
      [{}, 401],
    ] as const) {
      const answer = await fetch(url, { method: "POST", headers });
      expect([
        answer.status,
        answer.headers.get("deprecation"),
        answer.headers.get("sunset"),
      ]).toEqual([status, "@1796083200", "Wed, 01 Dec 2027 00:00:00 GMT"]);
    }
    expect((await call("GET", {})).headers.get("deprecation")).toBeNull();
  });

  it("gives a repeated change its first answer, although the state it names has passed", async () => {
    const given = { "if-match": etagOf(revision), "idempotency-key": "again" };
    const first = await call("PATCH", given);
    const second = await call("PATCH", given);
    expect([first.status, second.status, second.text]).toEqual([200, 200, first.text]);
  });
});
