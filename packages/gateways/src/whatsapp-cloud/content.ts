import { isWhatsappUserId, valueFaults } from "@heliograph/channels";
import type { Attempt } from "../types.ts";

type Media = NonNullable<Attempt["media"]>[number];
type Template = NonNullable<Attempt["content"]["template"]>;
/** A parameter of a template as the Cloud API takes it. */
type Parameter = {
  readonly type: "text";
  readonly text: string;
  readonly parameter_name?: string;
};

/** A caption has room for as much (Cloud API, media messages). */
const maxCaption = 1_024;
/** Names of variables that stand elsewhere than in the body: the header's only one, and the end of a button's address. */
const inHeader = "header";
const inButton = /^button_(\d)$/;
const positional = /^[1-9]\d?$/;

/** The body of a message for the Cloud API. A string says why there is none. */
export function whatsappContent(attempt: Attempt): Readonly<Record<string, unknown>> | string {
  const { to, content, media = [], messageId } = attempt;
  const said = saidIn(content, media);
  if (typeof said === "string") return said;
  return {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    // In `to`, Meta takes a user's id for a number, says that it was accepted and delivers it to nobody.
    ...(isWhatsappUserId(to) ? { recipient: to } : { to: to.replace(/^\+/, "") }),
    ...said,
    // Comes back with each status: by it a message is found whose answer never came.
    biz_opaque_callback_data: messageId,
  };
}

function saidIn(content: Attempt["content"], media: readonly Media[]): object | string {
  const { text = "", template } = content;
  if (template !== undefined) return templateOf(template);
  const [file, ...others] = media;
  if (others.length > 0) return "a message of WhatsApp's carries one file";
  if (file === undefined)
    return text === ""
      ? "it has no text"
      : { type: "text", text: { body: text, preview_url: true } };
  const type = typeOf(file);
  const caption = text === "" ? (file.caption ?? "") : text;
  if (caption.length > maxCaption)
    return `beside a file there is room for ${maxCaption} characters`;
  if (type === "audio" && caption !== "") return "a sound has no text beside it";
  return {
    type,
    [type]: {
      link: file.url,
      ...(caption !== "" && { caption }),
      ...(type === "document" && file.name !== undefined && { filename: file.name }),
    },
  };
}

/** What the Cloud API takes as what; anything else is a document. */
function typeOf({ type = "" }: Media): "image" | "video" | "audio" | "document" {
  const plain = type.split(";", 1)[0]!.trim().toLowerCase();
  if (/^image\/(?:jpeg|png)$/.test(plain)) return "image";
  if (/^video\/(?:mp4|3gpp?)$/.test(plain)) return "video";
  return /^audio\/(?:aac|amr|mpeg|mp4|ogg)$/.test(plain) ? "audio" : "document";
}

/**
 * The template as it is approved at Meta, by its slug and language, with the values of its variables: those called `1`, `2` … by their place, others by their name (`parameter_name`); `header` and
 * `button_<index>` where they say.
 */
function templateOf({ slug, language, variables }: Template): object | string {
  // What was accepted before acceptance had this rule.
  const [wrong] = valueFaults("whatsapp", variables);
  if (wrong !== undefined) return `${wrong.path} ${wrong.message}`;
  const body: Parameter[] = [];
  const components: object[] = [];
  const entries = Object.entries(variables).toSorted(([one], [other]) => compare(one, other));
  for (const [name, value] of entries) {
    const text = String(value);
    const button = inButton.exec(name)?.[1];
    if (name === inHeader)
      components.push({ type: "header", parameters: [{ type: "text", text }] });
    else if (button !== undefined)
      components.push({
        type: "button",
        sub_type: "url",
        index: button,
        parameters: [{ type: "text", text }],
      });
    else body.push({ type: "text", ...(!positional.test(name) && { parameter_name: name }), text });
  }
  if (body.length > 0) components.push({ type: "body", parameters: body });
  return {
    type: "template",
    template: {
      name: slug,
      language: { code: language.replaceAll("-", "_") },
      ...(components.length > 0 && { components }),
    },
  };
}

/** Places count as numbers. */
const compare = (one: string, other: string): number =>
  positional.test(one) && positional.test(other)
    ? Number(one) - Number(other)
    : one < other
      ? -1
      : 1;
