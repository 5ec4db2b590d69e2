import { newId, streamOf } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { openStates } from "../src/states.ts";
import { onMessage, requestOf, requested, sent } from "./facts.ts";

test("The content of a message is not kept in memory, whether it was seen or read", async () => {
  const log = openMemoryLog();
  const content = { html: "x".repeat(200_000) };
  const request = requestOf(newId("msg"), { content });
  await log.append([onMessage(request.message_id, "no_stream", requested(request), sent(request))]);
  const states = openStates(log);
  for (const event of await log.readStream(streamOf("message", request.message_id)))
    states.see(event);
  const seen = states.get(request.message_id);
  expect([seen?.status, seen?.request.content]).toEqual(["sent", {}]);
  const other = openStates(log);
  await other.load([request.message_id]);
  expect(other.get(request.message_id)?.request.content).toEqual({});
});
