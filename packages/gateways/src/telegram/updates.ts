import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Callback, CallbackItem, CallbackRequest, Verdict } from "../callbacks.ts";
import type { InboundFile, InboundReading, InboundRequest } from "../descriptor.ts";

const header = "x-telegram-bot-api-secret-token";
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Telegram signs nothing: it repeats the secret that `setWebhook` was given. */
export const verifyTelegram = ({ headers }: CallbackRequest, secretToken: string): Verdict => ({
  kind: timingSafeEqual(digest(headers[header] ?? ""), digest(secretToken)) ? "genuine" : "forged",
});

const Person = z.object({
  first_name: z.string().optional(),
  last_name: z.string().optional(),
  username: z.string().optional(),
  is_bot: z.boolean().optional(),
});
/** What a message can be instead of words: each is named, by what it is called or else by what it is, and files are fetched by their ids. */
const files = [
  "photo",
  "video",
  "voice",
  "audio",
  "document",
  "sticker",
  "animation",
  "video_note",
  "location",
  "contact",
] as const;
/** Until the year 9999, the last that RFC 3339 writes. */
const Seconds = z.int().min(0).max(253_402_300_799);
const Message = z.object({
  message_id: z.int(),
  date: Seconds,
  edit_date: Seconds.optional(),
  chat: z.object({ id: z.int(), title: z.string().optional() }),
  from: Person.optional(),
  text: z.string().optional(),
  caption: z.string().optional(),
  /** A group became a supergroup: both chats tell of it. */
  migrate_to_chat_id: z.int().optional().catch(undefined),
  migrate_from_chat_id: z.int().optional().catch(undefined),
});
type Message = z.infer<typeof Message> & Readonly<Record<string, unknown>>;
const Reaction = z.object({
  chat: z.object({ id: z.int() }),
  message_id: z.int(),
  date: Seconds,
  user: Person.optional(),
  new_reaction: z.array(z.object({ emoji: z.string().optional() })),
});
const Update = z.object({
  update_id: z.int(),
  message: Message.loose().optional(),
  edited_message: Message.loose().optional(),
  message_reaction: Reaction.optional(),
});
type Update = z.infer<typeof Update>;

const parse = (bytes: Buffer): Update => Update.parse(JSON.parse(bytes.toString("utf8")));

/** One update, about one thing (Bot API, `Update`). */
export function readTelegram({ body, contentType }: Callback): readonly CallbackItem[] {
  const update = parse(body);
  const about = update.message ?? update.edited_message ?? update.message_reaction;
  if (about === undefined) return [{ kind: "ignored", what: wordOf(body) }];
  const move = update.message && moveOf(update.message);
  if (update.message !== undefined && move === undefined && !says(update.message))
    return [{ kind: "ignored", what: "a message of the service's" }];
  return [
    {
      kind: "inbound",
      providerMessageId: idOf(update),
      from: move?.from ?? String(about.chat.id),
      contentType,
      raw: body,
    },
  ];
}

/** What was told of that has nothing for us: the poll, the member, the button. */
function wordOf(body: Buffer): string {
  const keys = Object.keys(JSON.parse(body.toString("utf8")) as object);
  return (keys.find((key) => key !== "update_id") ?? "an empty update").slice(0, 64);
}

function moveOf({ chat, migrate_to_chat_id: to, migrate_from_chat_id: from }: Message) {
  if (to !== undefined) return { from: String(chat.id), movedTo: String(to) };
  return from === undefined ? undefined : { from: String(from), movedTo: String(chat.id) };
}

const fileIn = (message: Message): (typeof files)[number] | undefined =>
  files.find((name) => message[name] !== undefined);
const says = (message: Message): boolean =>
  message.text !== undefined || message.caption !== undefined || fileIn(message) !== undefined;

/** An edit and a reaction are told under the id of their message: their update's is their own. */
const idOf = ({ update_id, message }: Update): string =>
  message === undefined ? `update.${update_id}` : `${message.chat.id}.${message.message_id}`;

const nameOf = (person: z.infer<typeof Person> | undefined): string =>
  [person?.first_name, person?.last_name]
    .filter((part) => part !== undefined && part !== "")
    .join(" ") ||
  (person?.username ?? "");

const TelegramFile = z.object({
  file_id: z.string().min(1).max(512),
  file_name: z.string().optional().catch(undefined),
  mime_type: z.string().optional().catch(undefined),
  file_size: z.int().min(0).optional().catch(undefined),
});

/** The file that a message is; of a picture, which comes in several sizes, the largest, which Telegram writes last. */
function filesOf(message: Message): readonly InboundFile[] {
  const kind = fileIn(message);
  const found = kind === undefined ? undefined : message[kind];
  const { data } = TelegramFile.safeParse(Array.isArray(found) ? found.at(-1) : found);
  if (data === undefined) return [];
  const { file_id: file, file_name: name, mime_type: type, file_size: bytes } = data;
  return [
    {
      file,
      ...(name !== undefined && name !== "" && { name: name.slice(0, 255) }),
      ...(type !== undefined && { type: type.slice(0, 255) }),
      ...(bytes !== undefined && { bytes }),
    },
  ];
}

function textOf(message: Message): string {
  const words = message.text ?? message.caption ?? "";
  const file = fileIn(message);
  if (file === undefined) return words;
  const { file_name: name } = (message[file] ?? {}) as { readonly file_name?: unknown };
  const shown = `[${typeof name === "string" && name !== "" ? name : file.replace("_", " ")}]`;
  return words === "" ? shown : `${shown} ${words}`;
}

/** What a person wrote. An update does not say to which bot: the gateway's name stands for it. Throws for an update without a person's message. */
export function telegramInbound({ raw, gateway }: InboundRequest): InboundReading {
  const update = parse(raw);
  const { message, edited_message: edited, message_reaction: reaction } = update;
  const shared = { providerMessageId: idOf(update), to: gateway.name };
  if (reaction !== undefined) {
    const text = reaction.new_reaction.map(({ emoji = "" }) => emoji).join("");
    return {
      ...shared,
      ...(text !== "" && { text }),
      ...profile(nameOf(reaction.user)),
      from: String(reaction.chat.id),
      kind: "reaction",
      about: `${reaction.chat.id}.${reaction.message_id}`,
      at: at(reaction.date),
    };
  }
  const said = message ?? edited;
  if (said === undefined) throw new Error("an update without a message");
  const move = message && moveOf(message);
  if (move !== undefined) return { ...shared, ...move, kind: "message", at: at(said.date) };
  const sent = filesOf(said);
  return {
    ...shared,
    ...profile(said.chat.title ?? nameOf(said.from)),
    from: String(said.chat.id),
    text: textOf(said),
    ...(message !== undefined && sent.length > 0 && { files: sent }),
    ...(said.from?.is_bot === true && { automatic: true }),
    kind: message === undefined ? "edit" : "message",
    ...(message === undefined && { about: `${said.chat.id}.${said.message_id}` }),
    at: at(said.edit_date ?? said.date),
  };
}

const profile = (name: string) => (name === "" ? {} : { profileName: name });
const at = (seconds: number): string => new Date(seconds * 1_000).toISOString();
