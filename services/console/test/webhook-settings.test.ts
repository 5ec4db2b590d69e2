import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inWords, webhookAnswerMs, webhookDelaysMs } from "@heliograph/contracts";
import { changeOf, settingFields, typedAs, type Endpoint } from "../src/pages/webhook-settings.ts";

const endpoint: Endpoint = {
  id: "whe_1",
  url: "https://example.com/",
  event_types: ["message.*"],
  types: ["message.*"],
  filters: null,
  status: "enabled",
  disabled_reason: null,
  description: null,
  rate_limit: 5,
  concurrency_limit: null,
  asymmetric_signature: true,
  public_keys: [],
  timestamped_signature_header: "X-Acme-Signature",
  ordering: "per_subject",
  batch: { max_events: 50, max_wait_ms: 200 },
  http2: true,
  headers: {},
  created_at: "",
  updated_at: "",
};

test.each([
  null,
  { channels: ["sms" as const], tags: ["vip", "big, order"] },
  { metadata: { shop: ["acme", "zeta"], order: 5, paid: true } },
  { metadata: { code: "5", yes: "true", blank: " x ", lines: "a\nb", "a:b": "x: y", '"q': "" } },
])("a form that changes nothing keeps the endpoint as it is, with the filters %j", (filters) => {
  expect(changeOf(typedAs({ ...endpoint, filters }))).toEqual({
    url: "https://example.com/",
    event_types: ["message.*"],
    filters,
    description: null,
    rate_limit: 5,
    concurrency_limit: null,
    asymmetric_signature: true,
    timestamped_signature_header: "X-Acme-Signature",
    ordering: "per_subject",
    batch: { max_events: 50, max_wait_ms: 200 },
    http2: true,
  });
});

test("how long an answer may take, and how long it is tried again, is what the platform does", () => {
  const form = String(settingFields(typedAs(endpoint), []));
  const guide = readFileSync(
    new URL("../../../docs/guides/receive-webhooks.md", import.meta.url),
    "utf8",
  );
  const answer = inWords(webhookAnswerMs);
  expect(form).toContain(`Answers 2xx within ${answer}; anything else is tried again for 3 days.`);
  expect(guide).toContain(`Answer 2xx within ${answer}`);
  expect(webhookDelaysMs.length).toBe(10);
});

test.each([
  [15_000, "15 seconds"],
  [60_000, "1 minute"],
  [7 * 86_400_000, "7 days"],
  [75 * 3_600_000, "3 days"],
])("a length of time of %i ms is told as %s", (ms, words) => {
  expect(inWords(ms)).toBe(words);
});
