import { fromGsm, toGsm, type GsmTables } from "@heliograph/channels";
import type { SmppSettings } from "./settings.ts";

/** Section 5.2.19. */
export const dataCoding = { smscDefault: 0, ascii: 1, latin1: 3, ucs2: 8 } as const;

/** What `data_coding` 0 stands for at a message centre: section 5.2.19 leaves it to each. */
export type Alphabet = NonNullable<SmppSettings["data_coding_default"]>;

/** What is above ASCII, or Latin-1 with its controls but for the line ends. */
const beyond: Readonly<Record<"ascii" | "latin1", RegExp>> = {
  // oxlint-disable-next-line no-control-regex -- from the first to the last character of ASCII
  ascii: /[^\u0000-\u007f]/,
  // oxlint-disable-next-line no-control-regex -- from the first to the last character of Latin-1
  latin1: /[^\u0000-\u007f\u00a0-\u00ff]/,
};

/** Whether a text of the GSM alphabet can be written in this one. */
export const canWrite = (text: string, alphabet: Alphabet): boolean =>
  alphabet === "gsm" || !beyond[alphabet].test(text);

export const toAlphabet = (text: string, alphabet: Alphabet): Buffer =>
  alphabet === "gsm" ? toGsm(text) : Buffer.from(text, "latin1");

/** Big-endian (section 5.2.19 by way of ISO/IEC 10646): 短信 is 77 ED 4F E1. */
export const toUcs2 = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

/** Copies: what comes is not ours to change. A last odd octet is dropped. */
const fromUcs2 = (bytes: Buffer): string =>
  Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString("utf16le");

type Reading = "gsm" | "ascii" | "latin1" | "ucs2" | "binary";

/** How the text of a message is written, by its `data_coding` (section 5.2.19, and TS 23.038, section 4 for 0xc0 and above). */
function readingOf(coding: number, alphabet: Alphabet): Reading {
  if (coding >= 0xf0) return (coding & 0x04) === 0 ? "gsm" : "binary";
  if (coding >= 0xe0) return "ucs2";
  if (coding >= 0xc0) return "gsm";
  switch (coding) {
    case dataCoding.ascii:
      return "ascii";
    case dataCoding.latin1:
      return "latin1";
    case dataCoding.ucs2:
      return "ucs2";
    case 2:
    case 4:
      return "binary";
    default:
      return alphabet;
  }
}

/** The text of a message from a person; undefined where it is no text. What is not known is read as the message centre's own. */
export function readText(
  bytes: Buffer,
  coding: number,
  alphabet: Alphabet,
  tables?: GsmTables,
): string | undefined {
  const reading = readingOf(coding, alphabet);
  switch (reading) {
    case "gsm":
      return fromGsm(bytes, tables);
    case "ascii":
    case "latin1":
      return bytes.toString("latin1");
    case "ucs2":
      return fromUcs2(bytes);
    case "binary":
      return undefined;
    default:
      return reading satisfies never;
  }
}
