import { type EventData, type EventType, streamOf, uuid5 } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { EventLog, NewEvent } from "@heliograph/log";

type FileType = Extract<EventType, `ReceivedFile${string}`>;
/** The file and its message, without what an event says of it. */
export type ToldFile = Omit<EventData<"ReceivedFileAwaited">, "awaited_at">;
/** Of a file of a message, by what has the message's ids. */
export const toldFile = (
  {
    message_id,
    inbound_id,
    contact_id,
    channel,
  }: Pick<ToldFile, "message_id" | "inbound_id" | "contact_id" | "channel">,
  attachment_id: string,
): ToldFile => ({ attachment_id, message_id, inbound_id, contact_id, channel });

export type FileNews =
  | {
      readonly type: "ReceivedFileKept";
      readonly kept: { readonly type: string; readonly bytes: number };
    }
  | { readonly type: "ReceivedFileLost"; readonly reason: EventData<"ReceivedFileLost">["reason"] };

/** Says of files that they are on their way, unless something is told of them already: an erasure may be noticed first. */
export async function tellAwaited(
  log: Pick<EventLog, "append">,
  files: readonly { readonly partner: string; readonly file: ToldFile }[],
): Promise<void> {
  const awaited_at = formatTime(Date.now());
  const outcomes = await log.append(
    files.map(({ partner, file }) => ({
      stream: streamOf("file", file.attachment_id),
      expected: "no_stream" as const,
      events: [recordOf(partner, file, "ReceivedFileAwaited", { awaited_at })],
    })),
  );
  for (const outcome of outcomes)
    if (outcome.kind === "invalid") throw new Error(`a received file: ${outcome.message}`);
}

/** Says in a file's own stream what becomes of it: each kind of news once, so that whoever does it again says nothing new. */
export async function tellFile(
  log: Pick<EventLog, "append" | "readStream">,
  partner: string,
  file: ToldFile,
  news: FileNews,
): Promise<void> {
  const stream = streamOf("file", file.attachment_id);
  const event = newsOf(partner, file, news);
  for (;;) {
    const before = await log.readStream(stream);
    if (before.some(({ id }) => id === event.id)) return;
    const expected = before.at(-1)?.revision ?? "no_stream";
    const [outcome] = await log.append([{ stream, expected, events: [event] }]);
    if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
    if (outcome!.kind !== "conflict") return;
  }
}

function newsOf(partner: string, file: ToldFile, news: FileNews): NewEvent {
  const at = formatTime(Date.now());
  switch (news.type) {
    case "ReceivedFileKept":
      return recordOf(partner, file, news.type, { ...news.kept, kept_at: at });
    case "ReceivedFileLost":
      return recordOf(partner, file, news.type, { reason: news.reason, lost_at: at });
    default:
      return news satisfies never;
  }
}

const recordOf = (partner: string, file: ToldFile, type: FileType, more: object): NewEvent => ({
  id: uuid5(file.attachment_id, type),
  type,
  data: { ...file, ...more },
  metadata: { partner, actor: "service:mobile", correlation: file.message_id },
});
