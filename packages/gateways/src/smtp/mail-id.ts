import { createHmac, timingSafeEqual } from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";
import { attemptIdOf } from "../attempt-id.ts";
import { attemptNamed, attemptText, type ReturnPath } from "./return-path.ts";

/** 80 bits. */
const signatureCharacters = 20;
const signed = String.raw`m-([0-9a-z]{26}-[1-9]\d{0,3})-([0-9a-f]{${signatureCharacters}})`;
/** An earlier release gave out the attempt's id alone. */
const shape = new RegExp(String.raw`^<?((?:${signed}|atp_[0-9A-Z]{26})@[\w.[\]:-]{1,255})>?$`);

const signatureOf = (masterKey: Buffer, named: string): string =>
  createHmac("sha256", masterKey)
    .update(`mail-id\u001f${named}`)
    .digest("hex")
    .slice(0, signatureCharacters);

/**
 * The Message-ID of an attempt. Its domain is that of the return path where there is one: then whoever has the return path knows it. It names the message, so that it is found by it even where the
 * answer of the server that took it was lost. Signed, since the ids of messages follow from the keys of their requests, which may be guessed: nobody can make it up who has not seen the mail, so who
 * names it has had it.
 */
export function mailIdOf(masterKey: Buffer, attempt: ReturnPath, domain: string): string {
  const named = attemptText(attempt);
  return `<m-${named}-${signatureOf(masterKey, named)}@${domain}>`;
}

/** The Message-ID that a text names, with or without its angle brackets, where it is one of ours by its shape. */
export function ownMailId(text = ""): string | undefined {
  const bare = shape.exec(text.trim())?.[1];
  return bare === undefined ? undefined : `<${bare}>`;
}

/** The attempt that a Message-ID names, where we gave it out: signed under either key while two are given. */
export function attemptOfMailId(masterKey: MasterKey, text: string): ReturnPath | undefined {
  const [, , named, signature] = shape.exec(text.trim()) ?? [];
  if (named === undefined || signature === undefined) return undefined;
  const given = Buffer.from(signature);
  const isOurs = keysOf(masterKey).some((key) =>
    timingSafeEqual(given, Buffer.from(signatureOf(key, named))),
  );
  return isOurs ? attemptNamed(named) : undefined;
}

/** Those that the attempt of a return path may have had: under either key while two are given, and as an earlier release gave it out. The last is the same whatever the keys are. */
export function mailIdsOfPath(
  masterKey: MasterKey,
  path: ReturnPath,
  domain: string,
): { readonly signed: readonly string[]; readonly plain: string } {
  return {
    signed: keysOf(masterKey).map((key) => mailIdOf(key, path, domain)),
    plain: `<${attemptIdOf(path.messageId, path.attempt)}@${domain}>`,
  };
}
