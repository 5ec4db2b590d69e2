// What the README shows, compiled.
import { heliograph, isEvent } from "../src/index.ts";

export async function example(to: string, after: number, seen: Map<string, string>) {
  const client = heliograph({ baseUrl: "https://messages.example.com" }); // and HELIOGRAPH_KEY
  const sent = await client.messages.send({ channel: "sms", to, text: "Ready." }, { wait: 10 });
  for await (const { id, status } of client.messages.list({ to })) seen.set(id, status);
  // for ever: it connects again by itself
  for await (const event of client.events.follow({ after }))
    if (isEvent(event, "message.failed")) return event.data.error;
  return sent;
}
