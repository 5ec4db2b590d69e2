import { contentDecoder, type Decoder } from "./decode.ts";
import { headOf, type Head } from "./head.ts";

/** A mail in the order of its bytes: what is kept of it as it stands, and the files that are taken out, each with its headers, its decoded content and its end. */
export type Piece =
  | { readonly kind: "kept" | "content"; readonly bytes: Buffer }
  | { readonly kind: "file"; readonly head: Head }
  | { readonly kind: "end" };

/** As deep as mail is read. */
const maxDepth = 32;
/** Of the headers of one part, and of the mail's own. */
const maxHead = 64_000;
/** A line without an end is passed on in pieces of so much; a boundary has 72 characters at most (RFC 2046 §5.1.1). */
const maxLine = 8_192;

const dash = 0x2d;

/** Which of the boundaries a line is, and whether it is the last of it; undefined for any other line. */
function boundaryIn(
  boundaries: readonly string[],
  line: Buffer,
): { readonly at: number; readonly isLast: boolean } | undefined {
  if (line[0] !== dash || line[1] !== dash || boundaries.length === 0) return undefined;
  const text = line.toString("latin1").trimEnd();
  const at = boundaries.findLastIndex((each) => text === `--${each}` || text === `--${each}--`);
  return at < 0 ? undefined : { at, isLast: text.length > boundaries[at]!.length + 2 };
}

type Take = (line: Buffer, begins: boolean) => void;

/** Gives lines with their ends, and a long one in pieces of which the first begins it. */
function linesTo(take: Take): { push(chunk: Buffer): void; end(): void } {
  let rest: Buffer = Buffer.alloc(0);
  let begins = true;
  return {
    push(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      while (start < rest.length) {
        const end = rest.indexOf(0x0a, start);
        if (end < 0 && rest.length - start < maxLine) break;
        const stop = end < 0 ? rest.length : end + 1;
        take(rest.subarray(start, stop), begins);
        begins = end >= 0;
        start = stop;
      }
      rest = rest.subarray(start);
    },
    end() {
      if (rest.length > 0) take(rest, begins);
    },
  };
}

/**
 * Takes the files out of a mail while it comes: parts that are neither the text nor the page that people read, nor what a report says. Headers and boundaries stay, so that the rest reads as before. What it cannot
 * follow it leaves in. Holds a line and the headers of one part.
 */
export function mailSplitter(): { push(chunk: Buffer): Piece[]; end(): Piece[] } {
  const boundaries: string[] = [];
  let isReport = false;
  let isFirstHead = true;
  /** Of the headers that are being read; undefined in a body. */
  let head: string | undefined = "";
  let file: Decoder | undefined;
  let pieces: Piece[] = [];
  let kept: Buffer[] = [];

  function give(bytes: Buffer): void {
    if (bytes.length > 0) pieces.push({ kind: "content", bytes });
  }
  function closeFile(): void {
    if (file === undefined) return;
    give(file.end());
    file = undefined;
    pieces.push({ kind: "end" });
  }
  function flush(): void {
    if (kept.length > 0) pieces.push({ kind: "kept", bytes: Buffer.concat(kept) });
    kept = [];
  }
  function endHead(text: string): void {
    head = undefined;
    const found = headOf(text);
    if (isFirstHead) isReport = found.type === "multipart/report";
    isFirstHead = false;
    if (found.boundary !== undefined) {
      if (boundaries.length < maxDepth) boundaries.push(found.boundary);
    } else if (!isReport && found.isFile) {
      flush();
      pieces.push({ kind: "file", head: found });
      file = contentDecoder(found.encoding);
    }
  }
  const lines = linesTo((line, begins) => {
    const boundary = begins ? boundaryIn(boundaries, line) : undefined;
    if (boundary !== undefined) {
      closeFile();
      boundaries.length = boundary.isLast ? boundary.at : boundary.at + 1;
      head = boundary.isLast ? undefined : "";
      kept.push(line);
    } else if (file !== undefined) give(file.push(line));
    else {
      kept.push(line);
      if (head === undefined) return;
      if (begins && /^\r?\n$/.test(line.toString("latin1", 0, 2))) endHead(head);
      else head = head.length + line.length > maxHead ? undefined : head + line.toString("latin1");
    }
  });
  function taken(): Piece[] {
    flush();
    const done = pieces;
    pieces = [];
    return done;
  }
  return {
    push(chunk) {
      lines.push(chunk);
      return taken();
    },
    end() {
      lines.end();
      closeFile();
      return taken();
    },
  };
}
