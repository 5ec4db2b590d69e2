import {
  channelModule,
  contentFaults,
  pushFaults,
  shapeFaults,
  togetherFaults,
  valueFaults,
} from "@heliograph/channels";
import { type EventData, type FieldError, PublicError, type Replaced } from "@heliograph/contracts";
import {
  type TemplateAt,
  renderTemplate,
  templateMissing,
  templateRefusal,
} from "@heliograph/domain";
import type { SendMessage, TemplateRef } from "./send.ts";

type Content = EventData<"MessageRequested">["content"];

/**
 * An event has at most 1 MB, and the rest of a request a few KB. Limits of characters do not keep to that by themselves: some take six
 * in JSON.
 */
export const maxContentBytes = 960 * 1024;
const mostBytesOfCharacter = 6;

/** A refusal that names every field that is wrong. */
export const invalid = (errors: readonly FieldError[]): PublicError =>
  new PublicError(
    "invalid_request",
    errors.map(({ path, message }) => `${path}: ${message}`).join("; "),
    { errors },
  );

/** The slug, version and behaviour of the template a send names; undefined when it names none. */
export function templateRefOf(body: SendMessage): TemplateRef | undefined {
  return typeof body.template === "string" ? { slug: body.template } : body.template;
}

function fromTemplate(body: SendMessage, template: TemplateAt | undefined): Content {
  const ref = templateRefOf(body)!;
  if (template === undefined) throw templateMissing({ ...ref, channel: body.channel }, "template");
  const rendered = renderTemplate(
    template.version,
    body.language,
    body.variables ?? {},
    ref.on_missing_language,
  );
  if (rendered.kind !== "rendered") throw templateRefusal(template.slug, rendered);
  const errors = valueFaults(body.channel, rendered.variables);
  if (errors.length > 0) throw templateRefusal(template.slug, { kind: "invalid", errors });
  const { text, subject, html } = rendered;
  return {
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    ...(subject !== undefined && { subject }),
    template: {
      id: template.id,
      slug: template.slug,
      version: template.number,
      language: rendered.language,
      variables: rendered.variables,
    },
  };
}

function written(body: SendMessage): Content {
  const { channel, text, html, subject } = body;
  const errors: FieldError[] = shapeFaults(channel, body).map((fault) =>
    fault.code === "required" && fault.path !== "subject"
      ? { ...fault, message: `${fault.message}, or a template` }
      : fault,
  );
  for (const path of ["language", "variables"] as const)
    if (body[path] !== undefined)
      errors.push({ path, code: "not_allowed", message: "belongs to a template" });
  if (errors.length > 0) throw invalid(errors);
  return {
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    ...(subject !== undefined && { subject }),
  };
}

/**
 * What a send says, its template filled. Limits are checked on that and not on what it was made from. Throws `invalid_request`,
 * `template_not_found` and `template_variables_invalid`.
 */
export function contentOf(
  body: SendMessage,
  template: TemplateAt | undefined,
): { readonly content: Content; readonly replaced: readonly Replaced[] } {
  if (body.template !== undefined)
    for (const path of ["text", "html", "subject"] as const)
      if (body[path] !== undefined)
        throw invalid([{ path, code: "not_allowed", message: "stands in the template" }]);
  const { channel, push } = body;
  const said = encoded(
    body,
    body.template === undefined ? written(body) : fromTemplate(body, template),
  );
  const content = { ...said.content, ...(push !== undefined && { push }) };
  const errors = [...contentFaults(channel, content), ...pushFaults(channel, push)];
  if (errors.length === 0) errors.push(...togetherFaults(channel, content, []));
  if (errors.length > 0) throw invalid(errors);
  if (isTooLarge(content))
    throw invalid([
      {
        path:
          body.template === undefined
            ? content.html === undefined
              ? "text"
              : "html"
            : "variables",
        code: "too_long",
        message: `the content has more than ${maxContentBytes} bytes as JSON`,
      },
    ]);
  return { content, replaced: said.replaced };
}

/** With smart encoding, where it is asked for. */
function encoded(body: SendMessage, content: Content): ReturnType<typeof contentOf> {
  if (body.smart_encoding !== true) return { content, replaced: [] };
  const { noun, smartEncoding } = channelModule(body.channel);
  if (smartEncoding === undefined)
    throw invalid([{ path: "smart_encoding", code: "not_allowed", message: `${noun} has none` }]);
  if (content.text === undefined) return { content, replaced: [] };
  const { text, replaced } = smartEncoding(content.text);
  return { content: { ...content, text }, replaced };
}

function isTooLarge(content: Content): boolean {
  let characters = 0;
  for (const text of [content.text, content.html, content.subject]) characters += text?.length ?? 0;
  for (const value of Object.values(content.template?.variables ?? {}))
    characters += typeof value === "string" ? value.length : 0;
  // Most are far below, and are not written out to be measured.
  if (characters * mostBytesOfCharacter < maxContentBytes) return false;
  return JSON.stringify(content).length > maxContentBytes;
}
