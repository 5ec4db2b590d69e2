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
/** Names of variables that stand elsewhere than in the body: the header's only one, and what a button has: the end of its address, what comes back when it is pressed, the code that it copies. */
const inHeader = "header";
const inButton = /^(button|quick_reply|copy_code)_(\d)$/;
const buttons: Readonly<Record<string, (text: string) => object>> = {
  button: (text) => ({ sub_type: "url", parameters: [{ type: "text", text }] }),
  quick_reply: (payload) => ({
    sub_type: "quick_reply",
    parameters: [{ type: "payload", payload }],
  }),
  copy_code: (code) => ({
    sub_type: "copy_code",
    parameters: [{ type: "coupon_code", coupon_code: code }],
  }),
};
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
  const [file, ...others] = media;
  if (others.length > 0) return "a message of WhatsApp's carries one file";
  if (template !== undefined) return templateOf(template, file);
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
    [type]: { ...linkOf(file, type), ...(caption !== "" && { caption }) },
  };
}

const linkOf = ({ url, name }: Media, type: string): object => ({
  link: url,
  ...(type === "document" && name !== undefined && { filename: name }),
});

/** What the Cloud API takes as what; anything else is a document. */
function typeOf({ type = "" }: Media): "image" | "video" | "audio" | "document" {
  const plain = type.split(";", 1)[0]!.trim().toLowerCase();
  if (/^image\/(?:jpeg|png)$/.test(plain)) return "image";
  if (/^video\/(?:mp4|3gpp?)$/.test(plain)) return "video";
  return /^audio\/(?:aac|amr|mpeg|mp4|ogg)$/.test(plain) ? "audio" : "document";
}

/**
 * The template as it is approved at Meta, by its slug and language, with the values of its variables: those called `1`, `2` … by their place, others by their name (`parameter_name`); `header` and
 * `button_<index>` and its like where they say. A file is the header of one that has a picture, a film or a document there.
 */
function templateOf({ slug, language, variables }: Template, file?: Media): object | string {
  // What was accepted before acceptance had this rule.
  const [wrong] = valueFaults("whatsapp", variables);
  if (wrong !== undefined) return `${wrong.path} ${wrong.message}`;
  const body: Parameter[] = [];
  const components: object[] = [];
  if (file !== undefined) {
    const type = typeOf(file);
    if (type === "audio") return "the header of a template takes no sound";
    if (variables[inHeader] !== undefined) return "the header of a template is a text or a file";
    components.push({ type: "header", parameters: [{ type, [type]: linkOf(file, type) }] });
  }
  const entries = Object.entries(variables).toSorted(([one], [other]) => compare(one, other));
  for (const [name, value] of entries) {
    const text = String(value);
    const [, button = "", index] = inButton.exec(name) ?? [];
    if (name === inHeader)
      components.push({ type: "header", parameters: [{ type: "text", text }] });
    else if (index !== undefined)
      components.push({ type: "button", index, ...buttons[button]!(text) });
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
