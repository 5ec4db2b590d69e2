// What the README shows, compiled.
import { deterministicId, streamOf, validateEvent, type EventData } from "../src/index.ts";

export function example(environment: string, partner: string, key: string) {
  const id = deterministicId("key", environment, partner, key); // the same key always names the same thing
  const data: EventData<"KeyRevoked"> = { key_id: id, partner_id: partner }; // types come from the schemas
  const refusal = validateEvent({ type: "KeyRevoked", data }); // undefined, or a sentence that says what is wrong
  const stream = streamOf("key", id); // what is read from it is known to be KeyIssued or KeyRevoked
  return { id, refusal, stream };
}
