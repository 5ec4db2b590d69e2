import type { Channel, FieldError } from "@heliograph/contracts";
import { isLongerThan } from "@heliograph/domain";
import type { Body, Field, FileLook } from "./channel.ts";
import { bytesOfPush, type PushOptions } from "./push-options.ts";
import { channelModule } from "./registry.ts";

const fields: readonly Field[] = ["text", "html", "subject"];

/** What a body has that its channel cannot carry, or has not although the channel needs it. Paths are the names of the fields. */
export function shapeFaults(channel: Channel, body: Body): readonly FieldError[] {
  const { noun, limits, needs } = channelModule(channel);
  const errors: FieldError[] = [];
  for (const group of needs)
    if (group.every((field) => body[field] === undefined))
      errors.push({
        path: group[0]!,
        code: "required",
        message: `${noun} needs ${group.join(" or ")}`,
      });
  for (const field of fields)
    if (body[field] !== undefined && limits[field] === undefined)
      errors.push({ path: field, code: "not_allowed", message: `${noun} has no ${field}` });
  return errors;
}

/** Why a channel does not carry so many files. */
export function mediaFaults(channel: Channel, count: number): readonly FieldError[] {
  const { noun, media: most } = channelModule(channel);
  if (most === undefined)
    return [{ path: "media", code: "not_allowed", message: `${noun} carries no media` }];
  if (count <= most) return [];
  return [{ path: "media", code: "too_many", message: `${noun} carries at most ${most}` }];
}

/** Why a channel does not carry these files, as far as it is known what they are. Paths are `media.` and the place. */
export function fileFaults(
  channel: Channel,
  files: readonly (FileLook & { readonly bytes?: number | undefined })[],
): readonly FieldError[] {
  const { noun, mediaBytes, file: check } = channelModule(channel);
  const errors = files.flatMap((file, index) => {
    const found = check?.(file);
    if (found === undefined || found.kind === "read") return [];
    const { code, message } = found;
    return [{ path: `media.${index}`, code, message }];
  });
  const sum = files.reduce((all, { bytes = 0 }) => all + bytes, 0);
  return mediaBytes === undefined || sum <= mediaBytes
    ? errors
    : [
        ...errors,
        {
          path: "media",
          code: "too_large",
          message: `${noun} carries at most ${mediaBytes / 1_000_000} MB of files`,
        },
      ];
}

/** A link to a file of ours, which is made for each attempt. */
const linkBytes = 250;
const bytesOf = (text = ""): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/** Why a channel does not carry these words with these files and options of a push, each of which has a length that it takes: a character may be four bytes, and one of control six. */
export function togetherFaults(
  channel: Channel,
  { text, subject, push }: Body & { readonly push?: PushOptions | undefined },
  files: readonly { readonly url?: string | undefined }[],
): readonly FieldError[] {
  const { noun, bytesTogether: most } = channelModule(channel);
  if (most === undefined) return [];
  const ofFiles = files.reduce((sum, { url }) => sum + (url ? bytesOf(url) : linkBytes), 0);
  if (bytesOf(text) + bytesOf(subject) + ofFiles + bytesOfPush(push) <= most) return [];
  const others = push === undefined ? "" : ", and of data, badge and sound,";
  const message = `${noun} may have at most ${most} bytes of text, subject and the address of its file${others} together`;
  const path = push !== undefined ? "push" : files.length > 0 ? "media" : "text";
  return [{ path, code: "too_long", message }];
}

/** Which values of a template's variables its channel does not carry. Paths are `variables.` and the name. */
export function valueFaults(
  channel: Channel,
  variables: Readonly<Record<string, unknown>>,
): readonly FieldError[] {
  const { value: check } = channelModule(channel);
  if (check === undefined) return [];
  return Object.entries(variables).flatMap(([name, value]) => {
    const found = check(String(value));
    if (found.kind === "read") return [];
    const { code, message } = found;
    return [{ path: `variables.${name}`, code, message }];
  });
}

/**
 * What is wrong with a body as it will be sent, so after its template is filled: longer than the channel carries, nothing to read, or a
 * subject that would end its header.
 */
export function contentFaults(channel: Channel, body: Body): readonly FieldError[] {
  const { noun, limits } = channelModule(channel);
  const errors: FieldError[] = [];
  for (const field of fields) {
    const value = body[field];
    const most = limits[field];
    if (value === undefined) continue;
    if (value.trim() === "")
      errors.push({ path: field, code: "blank", message: "holds nothing to read" });
    if (most !== undefined && isLongerThan(value, most))
      errors.push({
        path: field,
        code: "too_long",
        message: `${noun} may have at most ${most} characters of ${field}`,
      });
  }
  if (body.subject !== undefined && /[\r\n]/.test(body.subject))
    errors.push({ path: "subject", code: "line_break", message: "may not contain a line break" });
  return errors;
}
