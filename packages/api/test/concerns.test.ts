import { newId } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { route, type Service } from "../src/index.ts";

const Body = z.strictObject({ name: z.string(), of: z.array(z.string()) });
const people: Service = {
  name: "people",
  api: {
    groups: [
      {
        tag: "people",
        description: "Made for this test.",
        routes: [
          route({
            method: "POST",
            path: "/people",
            scope: "contacts:write",
            summary: "Say a name",
            mutates: true,
            body: Body,
            response: z.object({ name: z.string() }),
            errors: ["contact_erased", "idempotency_key_reused", "idempotency_in_progress"],
            handler(call) {
              call.concerns(...call.body.of);
              return { status: 200, body: { name: call.body.name } };
            },
          }),
        ],
      },
    ],
  },
};

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services: [people] });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const say = (body: object, key: string) =>
  world.call("POST", "/api/v1/people", {
    key: partner.key,
    body,
    headers: { "idempotency-key": key },
  });
const rows = async (): Promise<string> => {
  const { pool } = world.platform.contexts.sandbox;
  const { rows: found } = await pool.query(
    "select i::text as row, convert_from(answer, 'SQL_ASCII') as answer from ingress.idempotency i where answer is not null and fingerprint like 'sealed:%'",
  );
  return JSON.stringify(found);
};

test("an answer about people is kept under the keys of each of them, and is 410 once one is erased", async () => {
  const [ada, bea] = [newId("cnt"), newId("cnt")];
  const [both, one] = [newId("req"), newId("req")];
  const asked = { name: "Ada Lovelace", of: [ada, bea] };
  const first = await say(asked, both);
  const other = await say({ name: "Bea", of: [bea] }, one);
  const again = await say(asked, both);
  expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([first.text, "true"]);
  expect((await say({ ...asked, name: "Eve" }, both)).body.code).toBe("idempotency_key_reused");
  const kept = await rows();
  for (const text of ["Ada", Buffer.from("Ada Lovelace").toString("base64").slice(0, 12)])
    expect(kept).not.toContain(text);

  await world.platform.contexts.sandbox.vault.destroy(partner.id, [ada]);
  const gone = await say(asked, both);
  expect([gone.status, gone.body.code]).toEqual([410, "contact_erased"]);
  expect((await say({ ...asked, name: "Eve" }, both)).status).toBe(410);
  expect((await say({ name: "Bea", of: [bea] }, one)).text).toBe(other.text);
});

test("no fingerprint of a request is a plain hash that guessing could find", async () => {
  const key = newId("req");
  await say({ name: "+15551234567", of: [] }, key);
  const { pool } = world.platform.contexts.sandbox;
  const { rows: found } = await pool.query(
    "select fingerprint from ingress.idempotency where key = $1",
    [key],
  );
  expect(found[0].fingerprint).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
});
