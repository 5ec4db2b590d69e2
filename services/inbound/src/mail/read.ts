import { rm } from "node:fs/promises";
import {
  cleanName,
  fileKey,
  maxAttachmentBytes,
  spoolPath,
  spoolSealed,
  type Attachments,
  type Spooled,
} from "@heliograph/attachments";
import { nameOfPart } from "@heliograph/gateways";
import type { Head } from "./head.ts";
import { keptMailBytes, maxFiles, maxNamedFiles, maxSpooledBytes } from "./limits.ts";
import { mailSplitter, type Piece } from "./split.ts";

/** A file of a mail, sealed in a file of this machine, or why it is not. `type` is what the mail says of it. */
export type MailFile = {
  readonly name: string | undefined;
  readonly type: string;
  readonly bytes: number;
} & (
  | { readonly spooled: Spooled }
  | { readonly spooled: undefined; readonly why: "too_large" | "too_many" }
);

/** A mail without the contents of its files, as far as that is kept; `bytes` is how much was sent. */
export type ReadMail = {
  readonly body: Buffer;
  readonly bytes: number;
  readonly files: readonly MailFile[];
};

/** More mails with files come at once than there is room for: they are to come again. */
export class SpoolFull extends Error {
  override readonly name = "SpoolFull";
}

/** The room that the files of mails which are being taken have on this machine together. */
export type SpoolRoom = { held: number };

async function* piecesOf(stream: AsyncIterable<Buffer>, sent: { bytes: number }) {
  const splitter = mailSplitter();
  for await (const chunk of stream) {
    sent.bytes += chunk.length;
    yield* splitter.push(chunk);
  }
  yield* splitter.end();
}

/** The first room for a mail; most are smaller. */
const firstBytes = 16_384;

/** Keeps the beginning of what it is given, and none of the pieces, which may be of three bytes each. */
function beginningOf(): { add(piece: Buffer): void; taken(): Buffer } {
  let kept = Buffer.alloc(firstBytes);
  let bytes = 0;
  return {
    add(piece) {
      const end = Math.min(bytes + piece.length, keptMailBytes);
      if (end > kept.length) {
        const larger = Buffer.alloc(Math.min(Math.max(end, 2 * kept.length), keptMailBytes));
        kept.copy(larger);
        kept = larger;
      }
      piece.copy(kept, bytes, 0, end - bytes);
      bytes = end;
    },
    taken: () => kept.subarray(0, bytes),
  };
}

type Spooling = {
  readonly attachments: Attachments;
  readonly room: SpoolRoom;
  /** What this mail takes of it. */
  held: number;
};

/** Seals the content that follows into a file; reads past it where it is too large. */
async function spoolFile(
  pieces: AsyncIterator<Piece>,
  spooling: Spooling,
): Promise<{ readonly bytes: number; readonly spooled: Spooled | undefined }> {
  let bytes = 0;
  async function* content(): AsyncGenerator<Buffer> {
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      if (next.value.kind !== "content") return;
      bytes += next.value.bytes.length;
      if (bytes > maxAttachmentBytes) continue;
      spooling.held += next.value.bytes.length;
      spooling.room.held += next.value.bytes.length;
      if (spooling.room.held > maxSpooledBytes) throw new SpoolFull();
      yield next.value.bytes;
    }
  }
  const path = spoolPath(spooling.attachments);
  const spooled = await spoolSealed(content(), fileKey(), path);
  if (bytes <= maxAttachmentBytes) return { bytes, spooled };
  await rm(path, { force: true });
  return { bytes, spooled: undefined };
}

async function passFile(pieces: AsyncIterator<Piece>): Promise<number> {
  let bytes = 0;
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    if (next.value.kind !== "content") break;
    bytes += next.value.bytes.length;
  }
  return bytes;
}

/**
 * Reads a mail to its end, so that the connection can go on. Its files are gathered on this machine, sealed, and are there until `store` has ended with them. Throws what `store` throws, and SpoolFull.
 */
export async function withMail<Result>(
  stream: AsyncIterable<Buffer>,
  { attachments, room }: Pick<Spooling, "attachments" | "room">,
  store: (mail: ReadMail) => Promise<Result>,
): Promise<Result> {
  const spooling: Spooling = { attachments, room, held: 0 };
  const sent = { bytes: 0 };
  const beginning = beginningOf();
  const files: MailFile[] = [];
  const pieces = piecesOf(stream, sent);
  async function readAll(): Promise<void> {
    try {
      for (let next = await pieces.next(); !next.done; next = await pieces.next())
        if (next.value.kind === "kept") beginning.add(next.value.bytes);
        else if (next.value.kind === "file")
          await takeFile(pieces, spooling, files, next.value.head);
    } catch (error) {
      // The connection goes on once the rest is read past.
      for (let next = await pieces.next(); !next.done;) next = await pieces.next();
      throw error;
    }
  }
  try {
    await readAll();
    return await store({ body: beginning.taken(), bytes: sent.bytes, files });
  } finally {
    room.held -= spooling.held;
    for (const { spooled } of files)
      if (spooled !== undefined) await rm(spooled.path, { force: true });
  }
}

async function takeFile(
  pieces: AsyncIterator<Piece>,
  spooling: Spooling,
  files: MailFile[],
  head: Head,
): Promise<void> {
  const { type } = head;
  if (files.length >= maxNamedFiles) {
    await passFile(pieces);
    return;
  }
  const said = await nameOfPart(head.text);
  const name = said === undefined ? undefined : cleanName(said);
  if (files.length >= maxFiles) {
    const bytes = await passFile(pieces);
    files.push({ name, type, bytes, spooled: undefined, why: "too_many" });
    return;
  }
  const { bytes, spooled } = await spoolFile(pieces, spooling);
  files.push(
    spooled === undefined
      ? { name, type, bytes, spooled, why: "too_large" }
      : { name, type, bytes, spooled },
  );
}
