import { type ChannelModule, fault, read } from "./channel.ts";
import { magicName } from "./magic.ts";
import { numberOrName } from "./number-channel.ts";
import { oneMessage } from "./segments.ts";

/** Begins with a letter, so that no number is taken for one. */
const listName = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/** One message to everybody on a list that the provider of a gateway keeps. Nobody confirms that it arrived: it ends `sent`. */
export const broadcast: ChannelModule = {
  noun: "a broadcast",
  recipient: (text) =>
    listName.test(text)
      ? read({ to: text, digits: "", country: "" })
      : fault(
          "invalid_list",
          "must be the name of a list: a letter, then at most 63 letters, digits, dots, hyphens and underscores",
        ),
  takesNames: true,
  sender: numberOrName,
  limits: { text: 4_096 },
  needs: [["text"]],
  segments: ({ text = "" }) => oneMessage(text),
  magic: magicName,
};
