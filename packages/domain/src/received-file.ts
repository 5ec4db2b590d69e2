import { type TypedEvent, streamOf } from "@heliograph/contracts";
import type { ConversationMessage } from "./conversation-schema.ts";

type Media = ConversationMessage["media"][number];
type FileLog = {
  readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly TypedEvent[]>>;
};

/** What became of a file by its own stream; nothing of one that came with its message, or that was fetched by a release that told nothing of it. */
export function fileNow(
  events: readonly TypedEvent[],
): Pick<Media, "fetching" | "not_kept" | "type" | "bytes"> {
  const last = events.at(-1);
  switch (last?.type) {
    case "ReceivedFileAwaited":
      return { fetching: true };
    case "ReceivedFileKept":
      return { type: last.data.type, bytes: last.data.bytes };
    case "ReceivedFileLost":
      return { not_kept: last.data.reason };
    default:
      return {};
  }
}

/** Messages with what became of the files that persons sent with them. */
export async function withFiles<
  Message extends Pick<ConversationMessage, "direction"> & { readonly media: readonly Media[] },
>(log: FileLog, messages: readonly Message[]): Promise<readonly Message[]> {
  const streams = messages.flatMap(({ direction, media }) =>
    direction === "inbound"
      ? media.flatMap(({ attachment_id: id }) => (id === undefined ? [] : [streamOf("file", id)]))
      : [],
  );
  if (streams.length === 0) return messages;
  const found = await log.readStreams(streams);
  return messages.map((message) =>
    message.direction === "inbound" && message.media.length > 0
      ? { ...message, media: message.media.map((each) => mediaNow(each, found)) }
      : message,
  );
}

const mediaNow = (media: Media, streams: ReadonlyMap<string, readonly TypedEvent[]>): Media => ({
  ...media,
  ...fileNow(
    (media.attachment_id !== undefined && streams.get(streamOf("file", media.attachment_id))) || [],
  ),
});
