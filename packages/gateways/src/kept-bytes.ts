import { blankSecrets } from "@heliograph/contracts";

/** Bytes that came from outside, as an event holds them: as text where they are UTF-8, else in Base64. */
export type KeptBytes = { readonly raw: string; readonly encoding: "text" | "base64" };

/**
 * A key of ours that somebody sends along goes no further, in whatever field it stands and whatever the charset says of the letters around it: its own are ASCII. As many bytes
 * stay, because a PDU counts them.
 */
export function keep(bytes: Buffer): KeptBytes {
  const kept = Buffer.from(blankSecrets(bytes.toString("latin1")), "latin1");
  const text = kept.toString("utf8");
  return Buffer.from(text, "utf8").equals(kept)
    ? { raw: text, encoding: "text" }
    : { raw: kept.toString("base64"), encoding: "base64" };
}

export const bytesOf = ({ raw, encoding }: KeptBytes): Buffer =>
  Buffer.from(raw, encoding === "text" ? "utf8" : "base64");
