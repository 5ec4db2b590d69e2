/** So much of a file is looked at; every mark of the table stands in it, and so does the begin of a text. */
export const sniffedBytes = 4_096;

const octets = "application/octet-stream";

/**
 * What files begin with, from the registrations of their types and the WHATWG MIME Sniffing Standard, §6, in Latin-1. A table of our own: it looks at bytes and parses nothing, so no file
 * can make it loop or grow.
 */
const marks: readonly (readonly [type: string, bytes: string])[] = [
  ["image/png", "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", "\xff\xd8\xff"],
  ["image/gif", "GIF87a"],
  ["image/gif", "GIF89a"],
  ["image/tiff", "II*\0"],
  ["image/tiff", "MM\0*"],
  ["application/pdf", "%PDF-"],
  ["audio/ogg", "OggS"],
  ["audio/mpeg", "ID3"],
  ["audio/mpeg", "\xff\xfb"],
  ["audio/mpeg", "\xff\xf3"],
  ["audio/aac", "\xff\xf1"],
  ["audio/aac", "\xff\xf9"],
  ["audio/amr", "#!AMR"],
  ["audio/flac", "fLaC"],
  ["video/webm", "\x1aE\xdf\xa3"],
  ["application/gzip", "\x1f\x8b"],
  ["application/x-7z-compressed", "7z\xbc\xaf\x27\x1c"],
  ["application/vnd.rar", "Rar!\x1a\x07"],
];
/** The four letters behind `RIFF` and a length. */
const riff: Readonly<Record<string, string>> = {
  WEBP: "image/webp",
  WAVE: "audio/wav",
  "AVI ": "video/x-msvideo",
};
/** Brands of ISO 14496-12 files (`ftyp`). */
const brands: Readonly<Record<string, string>> = {
  avif: "image/avif",
  heic: "image/heic",
  heix: "image/heic",
  mif1: "image/heif",
  "qt  ": "video/quicktime",
  "M4A ": "audio/mp4",
};
const office = "application/vnd.openxmlformats-officedocument";
/** What the first entries of an office file are called; in a zip, names stand readable. */
const officeFolders: readonly (readonly [folder: string, type: string])[] = [
  ["word/", `${office}.wordprocessingml.document`],
  ["xl/", `${office}.spreadsheetml.sheet`],
  ["ppt/", `${office}.presentationml.presentation`],
];

/** The type of a file by its first bytes alone: what the uploader says of it counts for nothing. `application/octet-stream` where they tell nothing. */
export function sniff(head: Buffer): string {
  const text = head.toString("latin1");
  const letters = (from: number): string => text.slice(from, from + 4);
  if (letters(0) === "RIFF") return riff[letters(8)] ?? octets;
  if (letters(4) === "ftyp") return brands[letters(8)] ?? "video/mp4";
  if (letters(0) === "PK\x03\x04") return zipped(text);
  return marks.find(([, bytes]) => text.startsWith(bytes))?.[0] ?? textual(head);
}

function zipped(text: string): string {
  if (!text.includes("[Content_Types].xml")) return "application/zip";
  return officeFolders.find(([folder]) => text.includes(folder))?.[1] ?? "application/zip";
}

/** What a browser takes for a page, wherever white space, comments and other text let it begin. */
const html =
  /<(?:!doctype\s+html|html|head|body|script|iframe|style|title|h1|div|font|table|a|br|p|b|meta|link|img|form|input|object|embed|template|math)[\s/>]/i;

function textual(head: Buffer): string {
  // A character may be cut at the end of what is looked at.
  const whole = head.length < sniffedBytes ? head : head.subarray(0, lastWhole(head));
  const text = whole.toString("utf8").replace(/^\uFEFF/, "");
  if (/<svg[\s>]/i.test(text)) return "image/svg+xml";
  if (html.test(text)) return "text/html";
  if (/^\s*<\?xml/i.test(text)) return "application/xml";
  // oxlint-disable-next-line no-control-regex -- control characters are what tells bytes from text
  return /[\0-\x08\x0e-\x1a\x1c-\x1f\uFFFD]/.test(text) ? octets : "text/plain";
}

/** Where the last character begins that may be cut. */
function lastWhole(bytes: Buffer): number {
  let at = bytes.length - 1;
  while (at > bytes.length - 4 && (bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

/** What a browser only shows: everything else is downloaded, since it may hold script. */
const shown: ReadonlySet<string> = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/heic",
  "image/heif",
  "audio/ogg",
  "audio/mpeg",
  "audio/aac",
  "audio/amr",
  "audio/flac",
  "audio/wav",
  "audio/mp4",
  "video/mp4",
  "video/webm",
  "video/quicktime",
  "text/plain",
]);

/** Whether it may be shown in place. */
export const isPassive = (type: string): boolean => shown.has(type);

/** Every type that `sniff` gives, for the documentation. */
export const sniffedTypes: readonly string[] = [
  ...new Set([
    ...marks.map(([type]) => type),
    ...Object.values(riff),
    ...Object.values(brands),
    ...officeFolders.map(([, type]) => type),
    "video/mp4",
    "application/zip",
    "image/svg+xml",
    "text/html",
    "application/xml",
    "text/plain",
    octets,
  ]),
].toSorted();
