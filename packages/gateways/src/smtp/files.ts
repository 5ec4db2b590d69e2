import type { Attempt, GatewayTools } from "../types.ts";

/** What the files of mails that are being sent take of a process's memory together; a mail that finds no room waits for one. More than the largest mail may have. */
const maxHeldBytes = 64_000_000;

/** A file as the mailer takes it. */
export type MailedFile = {
  readonly filename: string | false;
  readonly contentType?: string;
  readonly content: Buffer;
};
export type Files =
  | { readonly kind: "files"; readonly files: readonly MailedFile[]; release(): void }
  /** It will never go. */
  | { readonly kind: "gone"; readonly why: string };

/** Room for so many bytes, given in the order of asking. */
export function createRoom(max: number) {
  let held = 0;
  let last: Promise<void> = Promise.resolve();
  let freed = Promise.withResolvers<void>();
  return async (bytes: number, signal: AbortSignal): Promise<() => void> => {
    const mine = Math.min(bytes, max);
    const before = last;
    const done = Promise.withResolvers<void>();
    last = done.promise;
    const given = Promise.withResolvers<never>();
    given.promise.catch(() => undefined);
    const abort = (): void => given.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      await Promise.race([before, given.promise]);
      while (held + mine > max) await Promise.race([freed.promise, given.promise]);
      held += mine;
    } finally {
      signal.removeEventListener("abort", abort);
      // Who gave up keeps nobody behind it waiting, and nobody passes who is before it.
      void before.then(done.resolve);
    }
    return () => {
      held -= mine;
      freed.resolve();
      freed = Promise.withResolvers();
    };
  };
}

const room = createRoom(maxHeldBytes);

/** Reads the files of a mail before anything of it is sent, so that a file that cannot be read leaves no half of a mail with a server. Throws where they cannot be read now. */
export async function filesOf(
  { media = [], partner }: Pick<Attempt, "media" | "partner">,
  read: GatewayTools["file"],
  signal: AbortSignal,
): Promise<Files> {
  if (media.length === 0) return { kind: "files", files: [], release: () => undefined };
  const release = await room(
    media.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
    signal,
  );
  const gone = (why: string): Files => {
    release();
    return { kind: "gone", why };
  };
  try {
    const files: MailedFile[] = [];
    for (const { attachmentId, name, type } of media) {
      if (attachmentId === undefined) return gone("one of its files was never fetched");
      const content = await read?.(attachmentId, partner);
      if (content === undefined) return gone("one of its files is gone");
      files.push({
        filename: name ?? false,
        ...(type !== undefined && { contentType: type }),
        content,
      });
    }
    return { kind: "files", files, release };
  } catch (error) {
    release();
    throw error;
  }
}
