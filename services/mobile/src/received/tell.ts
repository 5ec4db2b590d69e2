import { type EventData, type EventType, streamOf, uuid5 } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";

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
  | { readonly type: "ReceivedFileAwaited" }
  | {
      readonly type: "ReceivedFileKept";
      readonly kept: { readonly type: string; readonly bytes: number };
    }
  | { readonly type: "ReceivedFileLost"; readonly reason: EventData<"ReceivedFileLost">["reason"] };

/** Says in a file's own stream what becomes of it: each kind of news once, so that whoever does it again says nothing new. */
export async function tellFile(
  log: Pick<EventLog, "append" | "readStream">,
  partner: string,
  file: ToldFile,
  news: FileNews,
): Promise<void> {
  const stream = streamOf("file", file.attachment_id);
  const id = uuid5(file.attachment_id, news.type);
  for (;;) {
    const before = await log.readStream(stream);
    if (before.some((event) => event.id === id)) return;
    const { actor, correlation } = { actor: "service:mobile", correlation: file.message_id };
    const [outcome] = await log.append([
      {
        stream,
        expected: before.at(-1)?.revision ?? "no_stream",
        events: [{ id, ...eventOf(file, news), metadata: { partner, actor, correlation } }],
      },
    ]);
    if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
    if (outcome!.kind !== "conflict") return;
  }
}

function eventOf(
  file: ToldFile,
  news: FileNews,
): { readonly type: FileType; readonly data: object } {
  const at = formatTime(Date.now());
  switch (news.type) {
    case "ReceivedFileAwaited":
      return { type: news.type, data: { ...file, awaited_at: at } };
    case "ReceivedFileKept":
      return { type: news.type, data: { ...file, ...news.kept, kept_at: at } };
    case "ReceivedFileLost":
      return { type: news.type, data: { ...file, reason: news.reason, lost_at: at } };
    default:
      return news satisfies never;
  }
}
