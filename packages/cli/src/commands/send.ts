import type { SendMessage } from "@heliograph/client";
import { number, text, UsageError, type Command, type Values } from "../command.ts";

export const send: Command = {
  summary: "Sends a message.",
  usage:
    "--channel <channel> --to <recipient> (--text <text> | --template <slug> [--var name=value …])",
  options: {
    channel: { value: "channel", about: "sms, whatsapp, email, push, telegram or broadcast" },
    to: { value: "recipient", about: "a number, an address, as the channel has it" },
    from: { value: "sender", about: "one of yours" },
    text: { value: "text", about: "what it says" },
    subject: { value: "text", about: "of an e-mail" },
    template: { value: "slug", about: "instead of a text" },
    language: { value: "code", about: "of the template" },
    var: { value: "name=value", about: "a variable of the template, repeatable", multiple: true },
    wait: { value: "seconds", about: "wait until it is sent or has failed, 30 at most" },
    "idempotency-key": { value: "key", about: "the same key sends once" },
    "dry-run": { about: "validate and price, and send nothing" },
    live: { about: "needed with a live key: this costs money and reaches people" },
    stdin: { about: "the whole request as JSON from the input, in place of the above" },
    json: { about: "the whole answer" },
  },
  async run(context) {
    const { values, signal } = context;
    if (context.environment() === "live" && !values["live"] && !values["dry-run"])
      throw new UsageError("Your key is live. Add --live to reach people, or --dry-run.");
    const body = values["stdin"] ? parsed(await context.readInput()) : bodyOf(values);
    const wait = number(values, "wait", 30);
    const idempotencyKey = text(values, "idempotency-key");
    const sent = await context.client().messages.send(body, {
      signal,
      ...(wait !== undefined && { wait }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(values["dry-run"] === true && { query: { dry_run: true } }),
    });
    const id = "id" in sent && sent.id !== undefined ? sent.id : "(dry run)";
    context.print(values["json"] ? JSON.stringify(sent, undefined, 2) : `${id}  ${sent.status}`);
  },
};

function parsed(input: string): SendMessage {
  try {
    return JSON.parse(input) as SendMessage;
  } catch (error) {
    throw new UsageError(`The input is no JSON: ${(error as Error).message}`);
  }
}

function bodyOf(values: Values): SendMessage {
  const fields = ["channel", "to", "from", "text", "subject", "template", "language"];
  const body = Object.fromEntries(fields.map((name) => [name, text(values, name)]));
  if (!body["channel"] || !body["to"]) throw new UsageError("send needs --channel and --to");
  const given = (values["var"] ?? []) as readonly string[];
  const variables = Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError("--var is name=value");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  // What the platform knows of a message it checks itself, and says so.
  return { ...body, ...(given.length > 0 && { variables }) } as unknown as SendMessage;
}
