import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { isId, keysOf, type MasterKey } from "@heliograph/contracts";

/** 128 bits, which nobody finds by trying; short, so that a line of a mail holds the link. */
const accessBytes = 16;

/** The token of a link that shows a key once. It follows from the event that it is made for, so that a repetition makes the same. */
export const accessToken = (masterKey: Buffer, eventId: string): string =>
  mac(masterKey, "evaluation access", eventId).subarray(0, accessBytes).toString("base64url");

export const tokenHash = (token: string): string => hash("sha256", token, "hex");

/** The token by which the team takes an evaluation: its id, and the proof that we wrote it. */
export const takeToken = (masterKey: Buffer, id: string): string =>
  `${id}.${mac(masterKey, "evaluation take", id).toString("base64url")}`;

/** The id of a token that is ours. */
export function readTakeToken(masterKey: MasterKey, token: string): string | undefined {
  const id = token.slice(0, token.indexOf("."));
  if (!isId("evl", id)) return undefined;
  const given = Buffer.from(token);
  const isOurs = keysOf(masterKey).some((key) => {
    const own = Buffer.from(takeToken(key, id));
    return own.length === given.length && timingSafeEqual(own, given);
  });
  return isOurs ? id : undefined;
}

const mac = (masterKey: Buffer, use: string, of: string): Buffer =>
  createHmac("sha256", masterKey).update(`${use}\u001f${of}`).digest();
