import { isWhatsappUserId } from "@heliograph/channels";
import { z } from "zod";
import type { InboundFile, InboundReading, InboundRequest } from "../descriptor.ts";

/** Meta writes numbers without their plus, and ours as it is shown to people: `+1 555-010-0000`. */
export const numberOf = (text: string): string => `+${text.replace(/\D/g, "")}`;

const Text = z.object({ body: z.string() });
const File = z.object({
  id: z.string().max(128).optional(),
  mime_type: z.string().optional(),
  caption: z.string().optional(),
  filename: z.string().optional(),
});
/** A message of a person. What kind it is says `type`; what is not known here is named by it. */
const UserId = z.string().refine(isWhatsappUserId);
const PersonsMessageFields = z.object({
  id: z.string().min(1).max(200),
  /** Left out for a person who shows no number. */
  from: z.union([z.string().regex(/^\d{4,20}$/), UserId]).optional(),
  from_user_id: UserId.optional().catch(undefined),
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
export const PersonsMessage = PersonsMessageFields.refine(
  ({ from, from_user_id: user }) => from !== undefined || user !== undefined,
  { path: ["from"], message: "it names nobody who wrote it" },
);
export type PersonsMessage = z.infer<typeof PersonsMessage>;

/** The address of whoever wrote it: a number where Meta shows it. */
export const writerOf = ({ from, from_user_id: user = "" }: PersonsMessage): string =>
  from === undefined ? user : isWhatsappUserId(from) ? from : numberOf(from);

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
    from: writerOf(message),
    ...(message.from_user_id !== undefined && { alias: message.from_user_id }),
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
  const sent = filesOf(message);
  return {
    ...shared,
    text: textOf(message),
    ...(sent.length > 0 && { files: sent }),
    kind: "message",
  };
}

const files = ["image", "video", "audio", "voice", "sticker", "document"] as const;

/** Those that Meta keeps for whoever has the token. */
function filesOf(message: PersonsMessage): readonly InboundFile[] {
  return files.flatMap((each) => {
    const { id, mime_type: type, filename: name } = message[each] ?? {};
    if (id === undefined) return [];
    return [
      {
        file: id,
        ...(type !== undefined && { type: type.slice(0, 255) }),
        ...(name !== undefined && name !== "" && { name: name.slice(0, 255) }),
      },
    ];
  });
}

function textOf(message: PersonsMessage): string {
  const { text, button, interactive, type } = message;
  const chosen = interactive?.button_reply?.title ?? interactive?.list_reply?.title;
  const words = text?.body ?? button?.text ?? chosen;
  if (words !== undefined) return words;
  const name = files.find((each) => message[each] !== undefined);
  const { filename, caption = "" } = name === undefined ? {} : message[name]!;
  // As in mail: who answers sees that there was one, also where it cannot be had.
  const shown = `[${filename || type}]`;
  return caption === "" ? shown : `${shown} ${caption}`;
}
