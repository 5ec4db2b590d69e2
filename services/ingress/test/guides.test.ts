import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type World, openWorld } from "./harness.ts";

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(() => world.close());

/** What a page shows to be sent, in its order: `POST /path`, and the body below it. */
function requestsIn(page: string): readonly { path: string; body: Record<string, unknown> }[] {
  const file = new URL(`../../../docs/guides/${page}.md`, import.meta.url);
  return [...readFileSync(file, "utf8").matchAll(/```http\nPOST (\S+)\n([^`]+)```/g)].map(
    ([, path, body]) => ({ path: path!, body: JSON.parse(body!) as Record<string, unknown> }),
  );
}

test.each(["templates", "batch", "scheduling", "prices"])(
  "what the guide to %s shows is accepted",
  async (page) => {
    const { key } = await world.addPartner();
    const requests = requestsIn(page);
    expect(requests.length).toBeGreaterThan(0);
    for (const { path, body } of requests) {
      // The page's date is in the past some day.
      const later = new Date(Date.now() + 3_600_000).toISOString();
      const answer = await world.call("POST", path, {
        key,
        body: body["send_at"] === undefined ? body : { ...body, send_at: later },
      });
      expect([path, answer.status, answer.body.errors]).toEqual([
        path,
        expect.toSatisfy((status: number) => status < 300),
        undefined,
      ]);
      if (page === "batch") expect(answer.body).toMatchObject({ accepted: 1, refused: 1 });
    }
  },
);
