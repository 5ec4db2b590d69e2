import {
  attachmentsIn,
  BytesLost,
  contentOf,
  findAttachment,
  openedRow,
  type Attachments,
} from "@heliograph/attachments";
import type { Failure } from "@heliograph/contracts";
import type { AttachedFile, Attempt, SendResult } from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";
import type { Connection } from "./connections.ts";
import { createRoom, type Room } from "./file-room.ts";

/** Files that go with a call. They hold memory until they are released. */
export type CallFiles = {
  readonly type: "files";
  readonly files: readonly AttachedFile[];
  readonly bytes: number;
  release(): void;
};
/** The gateway was not called, which says nothing of it: the files are not to be had now, or never will be where there is `refused`. */
export type NotCalled = {
  readonly type: "not_called";
  readonly refused?: Extract<SendResult, { type: "rejected" }>;
};
/** What became of a call that was to be made. */
export type CallResult = SendResult | NotCalled;

/** Of a process: more than the largest mail may have. */
const room = createRoom({ bytes: 64_000_000, waiting: 32, waitMs: 5_000 });
/** What the smallest takes of the room: while the store hangs no more than 64 calls wait for it, so others have places. */
const LEAST_BYTES = 1_000_000;
/** No further file is begun after this. */
const READ_MS = 30_000;

/** Undefined for a file that is gone, or was erased with its contact; throws `BytesLost`, or what keeps it from being read now. */
export type ReadFile = (attachmentId: string, partner: string) => Promise<Buffer | undefined>;

type Tools = Pick<ServiceContext, "pool" | "vault" | "logger">;

const readFrom =
  ({ pool, vault }: Tools, attachments: Attachments): ReadFile =>
  async (id, partner) => {
    const row = await findAttachment(pool, id, partner);
    if (row?.status !== "ready") return undefined;
    const opened = await openedRow(vault, row);
    if (opened === undefined) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of await contentOf(attachments, row, opened.key)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

/** Reads what goes with a call before it is made, so that a file that cannot be read leaves no half of a mail with a provider, and is not taken for a fault of its. */
export const filesReader = (context: ServiceContext): ReturnType<typeof createReader> =>
  createReader(context, readFrom(context, attachmentsIn(context.settings)), room);

export function createReader({ logger }: Pick<Tools, "logger">, read: ReadFile, waits: Room) {
  return async (
    { name }: Pick<Connection, "name">,
    { messageId, media = [], partner }: Attempt,
  ): Promise<CallFiles | NotCalled> => {
    const bytes = media.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
    const release = await waits(partner, Math.max(LEAST_BYTES, bytes));
    if (release === undefined) return { type: "not_called" };
    try {
      const files = await readAll(media, partner, read);
      if (typeof files !== "string") return { type: "files", files, bytes, release };
      release();
      return { type: "not_called", refused: { type: "rejected", error: lost(name, files) } };
    } catch (error) {
      release();
      logger.warn({ message: messageId, err: error }, "the files of a message cannot be read now");
      return { type: "not_called" };
    }
  };
}

/** The files, or why they will never go. */
async function readAll(
  media: NonNullable<Attempt["media"]>,
  partner: string,
  read: ReadFile,
): Promise<readonly AttachedFile[] | string> {
  const until = performance.now() + READ_MS;
  const files: AttachedFile[] = [];
  for (const { attachmentId, name, type } of media) {
    if (attachmentId === undefined) return "one of its files was never fetched";
    if (performance.now() > until) throw new Error("the files are read too slowly");
    try {
      const content = await read(attachmentId, partner);
      if (content === undefined) return "one of its files is gone";
      files.push({
        content,
        ...(name !== undefined && { name }),
        ...(type !== undefined && { type }),
      });
    } catch (error) {
      if (error instanceof BytesLost) return "the bytes of one of its files are lost";
      throw error;
    }
  }
  return files;
}

const lost = (gateway: string, text: string): Failure => ({
  code: "content_rejected",
  class: "content",
  permanent: true,
  provider: { name: gateway, code: "FILES", text },
});
