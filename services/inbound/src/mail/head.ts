/** What the headers of a part say of it. */
export type Head = {
  /** Lower case; `text/plain` where nothing is said (RFC 2045 §5.2). */
  readonly type: string;
  readonly encoding: string;
  /** Of a part that has parts. */
  readonly boundary: string | undefined;
  /** It is neither what people read in place nor a part of a report or of a signature. */
  readonly isFile: boolean;
  /** As it stands, in Latin-1. */
  readonly text: string;
};

/** The first header of a name, its lines joined. */
const field = (text: string, name: string): string =>
  new RegExp(`^${name}[ \\t]*:(.*)$`, "im").exec(text)?.[1]?.trim() ?? "";

const boundaryIn = (value: string): string | undefined => {
  const found = /;\s*boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))/i.exec(value);
  return found?.[1] ?? found?.[2];
};

/** Kept with the text: it says nothing to people, and is looked at with what it signs. */
const isSignature = (type: string): boolean =>
  /^application\/(?:pgp-signature|(?:x-)?pkcs7-signature)$/.test(type);

function isFile(type: string, disposition: string): boolean {
  if (type.startsWith("multipart/") || isSignature(type)) return false;
  if (/^attachment\b/i.test(disposition)) return true;
  if (type.startsWith("message/")) return type === "message/rfc822" || type === "message/global";
  return type !== "text/plain" && type !== "text/html";
}

export function headOf(text: string): Head {
  const unfolded = text.replaceAll(/\r?\n[ \t]+/g, " ");
  const said = field(unfolded, "content-type");
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(said)?.[0].toLowerCase() ?? "text/plain";
  return {
    type: type.slice(0, 255),
    encoding: field(unfolded, "content-transfer-encoding").toLowerCase(),
    boundary: type.startsWith("multipart/") ? boundaryIn(said) : undefined,
    isFile: isFile(type, field(unfolded, "content-disposition")),
    text,
  };
}
