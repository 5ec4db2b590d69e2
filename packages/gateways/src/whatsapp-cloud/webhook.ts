import { isId } from "@heliograph/contracts";
import { z } from "zod";
import { eachItem, type Callback, type CallbackItem } from "../callbacks.ts";
import { whatsappError, whatsappErrors, whatsappFailure, type WhatsappError } from "./errors.ts";
import { PersonsMessage, writerOf } from "./inbound.ts";

/** What changes a message; every other word (`deleted`, `warning`, one that is new) is a state on the way. */
const statuses = {
  sent: "sent",
  delivered: "delivered",
  read: "read",
  played: "read",
  failed: "undelivered",
} as const;

const Body = z.object({
  object: z.string(),
  entry: z.array(z.object({ changes: z.array(z.unknown()).default([]) })),
});
const Change = z.object({
  field: z.string(),
  value: z.object({
    metadata: z
      .object({ display_phone_number: z.string().max(32), phone_number_id: z.string().max(64) })
      .optional(),
    statuses: z.array(z.unknown()).default([]),
    messages: z.array(z.unknown()).default([]),
    contacts: z.array(z.unknown()).default([]),
  }),
});
type Value = z.infer<typeof Change>["value"];
const Status = z.object({
  id: z.string().min(1).max(200),
  status: z.string().max(64),
  timestamp: z.string().regex(/^\d{1,11}$/),
  recipient_id: z.string().optional(),
  biz_opaque_callback_data: z.string().optional(),
  errors: z
    .array(
      z.object({
        code: z.int(),
        title: z.string().optional(),
        message: z.string().optional(),
        error_data: z.object({ details: z.string().optional() }).optional(),
      }),
    )
    .default([]),
});

/** Everything in a post of Meta's: several accounts, in each several changes, in each several statuses and messages. */
export function readWhatsapp(
  { body }: Callback,
  gateway: { readonly name: string },
): readonly CallbackItem[] {
  const { entry } = Body.parse(JSON.parse(body.toString("utf8")));
  return eachItem(
    entry.flatMap(({ changes }) => changes),
    (raw) => {
      const { field, value } = Change.parse(raw);
      if (field !== "messages") return { kind: "ignored", what: field.slice(0, 64) };
      return [
        ...eachItem(value.statuses, (status) => reported(status, gateway)),
        ...eachItem(value.messages, (message) => written(message, value)),
      ];
    },
  );
}

function reported(raw: unknown, gateway: { readonly name: string }): CallbackItem {
  const { id, status: word, timestamp, errors, ...rest } = Status.parse(raw);
  const status = Object.hasOwn(statuses, word)
    ? statuses[word as keyof typeof statuses]
    : undefined;
  if (status === undefined) return { kind: "ignored", what: word };
  const { biz_opaque_callback_data: ours, recipient_id: to } = rest;
  return {
    kind: "report",
    report: {
      providerMessageId: id,
      ...(ours !== undefined && isId("msg", ours) && { messageId: ours }),
      eventId: `${id}.${word}`,
      status,
      occurredAt: new Date(Number(timestamp) * 1_000).toISOString(),
      ...(status === "undelivered" && failureOf(gateway.name, errors[0], to)),
    },
  };
}

function failureOf(
  gateway: string,
  error: z.infer<typeof Status>["errors"][number] | undefined,
  to: string | undefined,
) {
  const known = error === undefined ? undefined : whatsappError(error.code);
  // It is final, whatever the code would mean for another try.
  const reason: WhatsappError =
    known !== undefined && whatsappErrors[known].permanent ? known : "undelivered";
  const text = error?.error_data?.details ?? error?.message ?? error?.title;
  const said = { text, ...(error !== undefined && { code: String(error.code) }) };
  const failure = whatsappFailure(gateway, reason, said, to);
  return { permanent: true, error: failure, diagnostic: failure.provider!.text! };
}

/** Stored by itself, with what stands beside it that belongs to it. */
function written(raw: unknown, { metadata, contacts }: Value): CallbackItem {
  const message = PersonsMessage.parse(raw);
  const contact = contacts.find((each) => isOf(each, message));
  return {
    kind: "inbound",
    providerMessageId: message.id,
    from: writerOf(message),
    contentType: "application/json",
    raw: Buffer.from(JSON.stringify({ message: raw, metadata, contact })),
  };
}

type Named = { readonly wa_id?: unknown; readonly user_id?: unknown } | null;
/** Whether it says who wrote the message, by the number or by the user's id. */
const isOf = (contact: unknown, { from, from_user_id: user }: PersonsMessage): boolean => {
  const { wa_id: number, user_id: id } = (contact as Named) ?? {};
  return (from !== undefined && number === from) || (id !== undefined && id === (user ?? from));
};
