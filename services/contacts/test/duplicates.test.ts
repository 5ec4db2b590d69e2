import { formatPosition } from "@heliograph/log";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { phoneVariants } from "@heliograph/channels";
import { service } from "../src/index.ts";
import { people } from "./people.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
});
afterAll(() => world.close());
const context = () => world.platform.contexts.sandbox;

async function partner() {
  const { id, key } = await world.addPartner();
  return {
    ...people(context(), id),
    key,
    async duplicates(contact: string) {
      const headers = { "Min-Log-Position": formatPosition(await context().log.head()) };
      return world.call("GET", `/api/v1/contacts/${contact}/duplicates`, { key, headers });
    },
  };
}

describe("duplicates", () => {
  test.each([
    ["+5511987654321", "+551187654321"],
    ["+551187654321", "+5511987654321"],
    ["+5215512345678", "+525512345678"],
    ["+525512345678", "+5215512345678"],
  ])("%s may be %s", (one, other) => {
    expect(phoneVariants(one)).toEqual([other]);
  });
  test.each(["+551133334444", "+15551234567", "+442079460000"])(
    "%s is only itself: a landline gains no 9",
    (number) => expect(phoneVariants(number)).toEqual([]),
  );

  test("are told with their reasons, the likeliest first, and nothing is merged", async () => {
    const by = await partner();
    const ann = await by.create({
      name: "Ánn Lee",
      language: "en",
      ids: [
        ["email", "Ann@b.example"],
        ["sms", "+5511987654321"],
      ],
    });
    const lower = await by.create({
      name: "ann lee",
      language: "en",
      ids: [["email", "ann@b.example"]],
    });
    const old = await by.create({ ids: [["whatsapp", "+551187654321"]] });
    const app = await by.create({ ids: [["whatsapp", "+5511987654321"]] });
    await by.create({ name: "Ann Lee", language: "de" });
    await by.create({ name: "Nann Leeds", language: "en", ids: [["email", "joann@b.example"]] });
    const { status, body } = await by.duplicates(ann);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        data: [
          { contact_id: lower, score: 0.94, reasons: ["email_case", "same_name"] },
          { contact_id: app, score: 0.9, reasons: ["same_address"] },
          { contact_id: old, score: 0.8, reasons: ["phone_variant"] },
        ],
        next_cursor: null,
        next_after: null,
        prev_cursor: null,
      },
    });
  });

  test("two ids of one source are two people: no reason, and never merged", async () => {
    const by = await partner();
    const one = await by.create({ ids: [["crm", "C-1"]] });
    await by.create({ ids: [["crm", "C-2"]] });
    expect((await by.duplicates(one)).body.data).toEqual([]);
  });

  test("know nothing of another partner, and of what is merged or erased", async () => {
    const [by, other] = [await partner(), await partner()];
    const ann = await by.create({ ids: [["sms", "+15550000001"]] });
    await other.create({ ids: [["whatsapp", "+15550000001"]] });
    const gone = await by.create({ ids: [["whatsapp", "+15550000001"]] });
    await by.erase(gone);
    expect((await by.duplicates(ann)).body.data).toEqual([]);
    expect((await by.duplicates(gone)).status).toBe(410);
    expect((await other.duplicates(ann)).status).toBe(404);
  });
});
