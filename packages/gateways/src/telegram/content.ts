import { textOfHtml } from "@heliograph/channels";
import type { Attempt } from "../types.ts";

/** Under a picture or a file stands less text than in a message (Bot API, `caption`). */
const maxCaption = 1_024;
/** Of what is left of HTML without its tags; a text without any is bounded where it is accepted. */
const maxText = 4_096;

/** One call of the Bot API. */
export type TelegramCall = {
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
};
type Media = NonNullable<Attempt["media"]>[number];
type Kind = "photo" | "video" | "audio" | "document";

/** Anything else goes as a document; an animation and a picture that is no JPEG, PNG or WebP too. */
function kindOf({ type = "" }: Media): Kind {
  const plain = type.split(";", 1)[0]!.trim().toLowerCase();
  if (/^image\/(?:jpe?g|png|webp)$/.test(plain)) return "photo";
  if (plain === "video/mp4") return "video";
  return /^audio\/(?:mpeg|mp3|mp4|x-m4a)$/.test(plain) ? "audio" : "document";
}

/**
 * What is called for an attempt: one call, so that it is sent whole or not at all. The text goes as it is: without `parse_mode` nothing in it is markup. HTML goes in its place where there is some. A string says why
 * there is no such call.
 */
export function telegramCall({ to, toList, content, media = [] }: Attempt): TelegramCall | string {
  // A public channel has a name instead of a number (Bot API, `chat_id`).
  const chat = { chat_id: toList ? `@${to}` : Number(to) };
  const { text: plain = "", html } = content;
  const text = html ?? plain;
  const mode = html === undefined ? {} : { parse_mode: "HTML" };
  const { length } = html === undefined ? plain : textOfHtml(html);
  const [first, ...others] = media;
  if (length > maxText) return `there is room for ${maxText} characters of text`;
  if (first === undefined)
    return text === ""
      ? "it has no text"
      : { method: "sendMessage", parameters: { ...chat, text, ...mode } };
  if (length > maxCaption)
    return `beside a file there is room for ${maxCaption} characters of text`;
  if (others.length === 0) {
    const kind = kindOf(first);
    const caption = text === "" ? (first.caption ?? "").slice(0, maxCaption) : text;
    return {
      method: `send${kind[0]!.toUpperCase()}${kind.slice(1)}`,
      parameters: { ...chat, [kind]: first.url, ...(caption !== "" && { caption }), ...mode },
    };
  }
  return album(chat, { text, mode }, media);
}

function album(
  chat: { readonly chat_id: number | string },
  { text, mode }: { readonly text: string; readonly mode: object },
  media: readonly Media[],
): TelegramCall | string {
  const kinds = new Set(media.map(kindOf));
  // Pictures and films may stand together; sound and documents only with their like (Bot API, `sendMediaGroup`).
  if (kinds.size > 1 && (kinds.has("audio") || kinds.has("document")))
    return "pictures and films cannot go with sound or documents in one message";
  const items = media.map((item, index) => {
    // The text of the first is shown under all.
    const isShown = index === 0 && text !== "";
    const caption = isShown ? text : (item.caption ?? "").slice(0, maxCaption);
    const said = caption !== "" && { caption, ...(isShown && mode) };
    return { type: kindOf(item), media: item.url, ...said };
  });
  return { method: "sendMediaGroup", parameters: { ...chat, media: items } };
}
