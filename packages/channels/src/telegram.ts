import { type ChannelModule, fault, read } from "./channel.ts";
import { magicDigits } from "./magic.ts";
import { oneMessage } from "./segments.ts";

/** At most 52 significant bits (Bot API, `Chat.id`); those of groups are negative. */
const chatId = /^-?[1-9][0-9]{0,15}$/;
/** A bot is called what its gateway is called: what people write does not say to which bot. */
const botName = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/;

export const telegram: ChannelModule = {
  noun: "a Telegram message",
  recipient: (text) =>
    chatId.test(text)
      ? read({ to: text, digits: "", country: "" })
      : fault("invalid_chat", "must be the id of a chat, such as 88112233"),
  // A filter that names no channel takes digits for a number without its plus, and says so.
  takesNames: true,
  // A group that becomes a supergroup has another id (Bot API, `migrate_to_chat_id`).
  moves: true,
  sender: (text) =>
    botName.test(text)
      ? read(text)
      : fault(
          "invalid_sender",
          "must be the name of the gateway of a bot, of at most 64 characters",
        ),
  // The Bot API's own limit, which counts what is left of HTML without its tags.
  limits: { text: 4_096, html: 16_384 },
  // An album of the Bot API (sendMediaGroup).
  media: 10,
  needs: [["text", "html"]],
  segments: ({ text, html = "" }) => oneMessage(text ?? html),
  magic: magicDigits,
};
