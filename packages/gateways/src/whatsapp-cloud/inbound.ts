import { z } from "zod";
import type { InboundReading, InboundRequest } from "../descriptor.ts";

/** Meta writes numbers without their plus, and ours as it is shown to people: `+1 555-010-0000`. */
export const numberOf = (text: string): string => `+${text.replace(/\D/g, "")}`;

const Text = z.object({ body: z.string() });
const File = z.object({ caption: z.string().optional(), filename: z.string().optional() });
/** A message of a person. What kind it is says `type`; what is not known here is named by it. */
export const PersonsMessage = z.object({
  id: z.string().min(1).max(200),
  from: z.string().regex(/^\d{4,20}$/),
  timestamp: z.string().regex(/^\d{1,11}$/),
  type: z.string().max(64),
  text: Text.optional(),
  image: File.optional(),
  video: File.optional(),
  audio: File.optional(),
  voice: File.optional(),
  sticker: File.optional(),
  document: File.optional(),
  button: z.object({ text: z.string() }).optional(),
  interactive: z
    .object({
      button_reply: z.object({ title: z.string() }).optional(),
      list_reply: z.object({ title: z.string() }).optional(),
    })
    .optional(),
  reaction: z.object({ message_id: z.string(), emoji: z.string().optional() }).optional(),
});
type PersonsMessage = z.infer<typeof PersonsMessage>;

/** As `readWhatsapp` cuts it out of a post. */
const Cut = z.object({
  message: PersonsMessage,
  metadata: z.object({ display_phone_number: z.string() }),
  contact: z
    .object({ profile: z.object({ name: z.string() }) })
    .optional()
    .catch(undefined),
});

/** What a person wrote. Throws for what is no message, or does not say to which of our numbers it was written. */
export function whatsappInbound({ raw }: InboundRequest): InboundReading {
  const { message, metadata, contact } = Cut.parse(JSON.parse(raw.toString("utf8")));
  const { reaction } = message;
  const shared = {
    providerMessageId: message.id,
    from: numberOf(message.from),
    to: numberOf(metadata.display_phone_number),
    at: new Date(Number(message.timestamp) * 1_000).toISOString(),
    ...(contact !== undefined && { profileName: contact.profile.name }),
  };
  if (reaction !== undefined)
    return {
      ...shared,
      ...(reaction.emoji && { text: reaction.emoji }),
      kind: "reaction",
      about: reaction.message_id,
    };
  return { ...shared, text: textOf(message), kind: "message" };
}

const files = ["image", "video", "audio", "voice", "sticker", "document"] as const;

function textOf(message: PersonsMessage): string {
  const { text, button, interactive, type } = message;
  const chosen = interactive?.button_reply?.title ?? interactive?.list_reply?.title;
  const words = text?.body ?? button?.text ?? chosen;
  if (words !== undefined) return words;
  const name = files.find((each) => message[each] !== undefined);
  const { filename, caption = "" } = name === undefined ? {} : message[name]!;
  // Files are opened with the token alone: who answers sees that there was one.
  const shown = `[${filename || type}]`;
  return caption === "" ? shown : `${shown} ${caption}`;
}
