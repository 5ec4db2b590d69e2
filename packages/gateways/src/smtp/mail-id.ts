import { createHmac } from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";
import { attemptIdOf } from "../attempt-id.ts";
import type { ReturnPath } from "./return-path.ts";

/** 80 bits. */
const signatureCharacters = 20;
/** An earlier release gave out the attempt's id alone. */
const shape = /^<?(atp_[0-9A-Z]{26}(?:\.[0-9a-f]{20})?@[\w.[\]:-]{1,255})>?$/;

/**
 * The Message-ID of an attempt. Its domain is that of the return path where there is one: then whoever has the return path knows it. Signed, since the ids of messages follow from the keys of their
 * requests, which may be guessed: nobody can make it up who has not seen the mail, so who names it has had it.
 */
export function mailIdOf(masterKey: Buffer, attemptId: string, domain: string): string {
  const signature = createHmac("sha256", masterKey)
    .update(`mail-id\u001f${attemptId}`)
    .digest("hex")
    .slice(0, signatureCharacters);
  return `<${attemptId}.${signature}@${domain}>`;
}

/** The Message-ID that a text names, with or without its angle brackets, where it is one of ours. */
export function ownMailId(text = ""): string | undefined {
  const bare = shape.exec(text.trim())?.[1];
  return bare === undefined ? undefined : `<${bare}>`;
}

/** Those that the attempt of a return path may have had: under either key while two are given, and as an earlier release gave it out. The last is the same whatever the keys are. */
export function mailIdsOfPath(
  masterKey: MasterKey,
  { messageId, attempt }: ReturnPath,
  domain: string,
): { readonly signed: readonly string[]; readonly plain: string } {
  const attemptId = attemptIdOf(messageId, attempt);
  return {
    signed: keysOf(masterKey).map((key) => mailIdOf(key, attemptId, domain)),
    plain: `<${attemptId}@${domain}>`,
  };
}
