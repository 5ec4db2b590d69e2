import { fileFaults, mediaFaults } from "@heliograph/channels";
import type { Content, FieldError } from "@heliograph/contracts";
import { invalid } from "./content.ts";
import type { SendMessage } from "./send.ts";

/** An attachment of the partner that is there. */
export type StoredMedia = {
  readonly type: string;
  readonly name: string | null;
  readonly bytes: number;
};

/**
 * What goes with a message besides its words. An address is passed on as it is; what a channel carries itself was fetched before. What an attachment is, its bytes say and not the caller. `find` is asked for those that are named.
 * Throws `invalid_request`.
 */
export async function mediaOf(
  { channel, media }: SendMessage,
  find: (ids: readonly string[]) => Promise<ReadonlyMap<string, StoredMedia>>,
): Promise<Content["media"]> {
  if (media === undefined) return undefined;
  const faults = mediaFaults(channel, media.length);
  if (faults.length > 0) throw invalid(faults);
  const ids = media.flatMap(({ attachment_id: id }) => (id === undefined ? [] : [id]));
  const stored = ids.length === 0 ? new Map<string, StoredMedia>() : await find(ids);
  const errors: FieldError[] = [];
  const content = media.map(({ url, attachment_id: id, type, name, caption }, index) => {
    const given = {
      ...(name !== undefined && { name }),
      ...(caption !== undefined && { caption }),
    };
    if (id === undefined) return { url: url!, ...(type !== undefined && { type }), ...given };
    const found = stored.get(id);
    if (found === undefined)
      errors.push({
        path: `media.${index}.attachment_id`,
        code: "not_found",
        message: "there is no such attachment",
      });
    return {
      attachment_id: id,
      ...(found && { type: found.type, bytes: found.bytes }),
      ...(typeof found?.name === "string" && { name: found.name }),
      ...given,
    };
  });
  errors.push(...fileFaults(channel, content));
  if (errors.length > 0) throw invalid(errors);
  return content;
}
