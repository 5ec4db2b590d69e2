import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import { expect, it } from "vitest";
import { disableEndpoint } from "../src/disable.ts";

const id = newId("whe");
const stream = streamOf("endpoint", id);
const endpoint = { id, url: "https://example.org", partner: "ptn_1" } as Endpoint;
const add = (log: EventLog, type: string, data: object = {}, count = 1) =>
  log.append(
    Array.from({ length: count }, () => ({
      stream,
      expected: "any",
      events: [{ id: uuid7(), type, data, metadata: {} }],
    })),
  );
const disabled = async (log: EventLog) =>
  (await log.readStream(stream)).filter(({ type }) => type === "WebhookEndpointDisabled").length;

it("disables an endpoint whose stream is longer than a page", async () => {
  const log = openMemoryLog();
  await add(log, "WebhookEndpointCreated");
  await add(log, "WebhookRetryRequested", {}, 1_001);
  await disableEndpoint(log, endpoint, `evt_${"0".repeat(26)}`, "410", endpoint.partner);
  expect(await disabled(log)).toBe(1);
});

it("disables once for an answer, also when it is repeated, and again after it was enabled", async () => {
  const log = openMemoryLog();
  const gone = () =>
    disableEndpoint(log, endpoint, `evt_${"0".repeat(26)}`, "410", endpoint.partner);
  await gone();
  expect(await disabled(log)).toBe(0);
  await add(log, "WebhookEndpointCreated");
  await Promise.all([gone(), gone()]);
  await gone();
  expect(await disabled(log)).toBe(1);
  await add(log, "WebhookEndpointUpdated", { status: "enabled" });
  await gone();
  expect(await disabled(log)).toBe(2);
  await add(log, "WebhookEndpointDeleted");
  await gone();
  expect(await disabled(log)).toBe(2);
});
