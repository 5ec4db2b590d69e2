/** Gives the content of a part, line after line of it. The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1). */
export type Decoder = { push(line: Buffer): Buffer; end(): Buffer };

/** Anything that is neither Base64 nor quoted-printable stands as it is (RFC 2045 §6). */
export function contentDecoder(encoding: string): Decoder {
  if (encoding === "base64") return base64();
  return encoding === "quoted-printable" ? lines(unquoted) : lines((line) => line);
}

/** So much Base64 is decoded at once. */
const decodedAtOnce = 65_536;
const nothing = Buffer.alloc(0);

function base64(): Decoder {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let over = "";
  function decode(): Buffer {
    const text =
      over +
      Buffer.concat(held)
        .toString("latin1")
        .replaceAll(/[^A-Za-z0-9+/]/g, "");
    const whole = text.length - (text.length % 4);
    held = [];
    heldBytes = 0;
    over = text.slice(whole);
    return Buffer.from(text.slice(0, whole), "base64");
  }
  return {
    push(line) {
      held.push(line);
      heldBytes += line.length;
      return heldBytes < decodedAtOnce ? nothing : decode();
    },
    end: () => Buffer.concat([decode(), Buffer.from(over, "base64")]),
  };
}

/** Holds the last line end back, and small lines until they are worth a write. */
function lines(decode: (line: Buffer) => Buffer): Decoder {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let ending: Buffer = nothing;
  function add(bytes: Buffer): void {
    if (bytes.length > 0) held.push(bytes);
    heldBytes += bytes.length;
  }
  function taken(): Buffer {
    const all = Buffer.concat(held);
    held = [];
    heldBytes = 0;
    return all;
  }
  return {
    push(line) {
      add(ending);
      const bytes = decode(line);
      const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
      ending = bytes.subarray(bytes.length - end);
      add(bytes.subarray(0, bytes.length - end));
      return heldBytes < decodedAtOnce ? nothing : taken();
    },
    end: taken,
  };
}

/** A line of quoted-printable: without the blanks behind it, and without its end where it says so (RFC 2045 §6.7). */
function unquoted(line: Buffer): Buffer {
  const text = line.toString("latin1");
  const ending = /\r?\n$/.exec(text)?.[0] ?? "";
  const said = text.slice(0, text.length - ending.length).trimEnd();
  const isSoft = said.endsWith("=");
  const plain = (isSoft ? said.slice(0, -1) : said).replaceAll(
    /=([0-9a-f]{2})/gi,
    (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(plain + (isSoft ? "" : ending), "latin1");
}
