import { streamOf, uuid7 } from "@heliograph/contracts";
import { templateId } from "@heliograph/domain";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { TemplateCache } from "../src/messages/templates.ts";

const partner = "ptn_01HNQX2P8Y9R3T4V5W6Z7A8B9C";

async function openTemplates(count: number, characters: number) {
  const log = openMemoryLog();
  for (let index = 0; index < count; index++) {
    const id = templateId({ partner, channel: "email", slug: `t${index}` });
    const data = {
      template_id: id,
      slug: `t${index}`,
      version: 1,
      channel: "email",
      default_language: "en",
      languages: { en: { subject: "s", html: "x".repeat(characters) } },
      variables: {},
      created_at: "2026-01-01T00:00:00.000Z",
    };
    await log.append([
      {
        stream: streamOf("template", id),
        expected: "no_stream",
        events: [{ id: uuid7(), type: "TemplateCreated", data, metadata: { partner } }],
      },
    ]);
  }
  let reads = 0;
  const counted: EventLog = {
    ...log,
    readStream(...given) {
      reads++;
      return log.readStream(...given);
    },
    forPartner: () => counted,
  };
  return { cache: new TemplateCache(counted), reads: () => reads };
}

test("Large templates push each other out: memory is bounded in bytes, not in templates", async () => {
  const { cache } = await openTemplates(200, 200_000);
  for (let index = 0; index < 200; index++) await cache.get(partner, "email", `t${index}`);
  let kept = 0;
  for (let index = 0; index < 200; index++)
    if (!(cache.get(partner, "email", `t${index}`) instanceof Promise)) kept++;
  // 800 KB each at worst, 32 MB in all.
  expect(kept).toBeGreaterThan(5);
  expect(kept).toBeLessThanOrEqual(42);
});

test("Many small templates stay", async () => {
  const { cache } = await openTemplates(3_000, 100);
  for (let index = 0; index < 3_000; index++) await cache.get(partner, "email", `t${index}`);
  expect(cache.get(partner, "email", "t0")).not.toBeInstanceOf(Promise);
});

test("Sends that ask for one template at once share one read", async () => {
  const { cache, reads } = await openTemplates(1, 100);
  const found = await Promise.all(
    Array.from({ length: 50 }, async () => cache.get(partner, "email", "t0")),
  );
  expect(new Set(found).size).toBe(1);
  expect(reads()).toBe(2);
});
