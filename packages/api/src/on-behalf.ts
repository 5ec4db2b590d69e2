import { createHmac, timingSafeEqual } from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";
import type { Request } from "express";

/** The header in which a process of the installation says for whom it calls. */
export const onBehalfHeader = "heliograph-on-behalf";
/** What is overheard is of no use for longer; the clocks of two machines may differ by as much. */
const validMs = 300_000;

const proofOf = (masterKey: Buffer, said: string): Buffer =>
  createHmac("sha256", masterKey).update(`on behalf of ${said}`).digest();

/**
 * The value for a call that the console makes for a person: their address, the time, and a proof that whoever says so holds the master key. Limits and the audit
 * then see the person, and a stranger who guesses passwords in the console shuts nobody out but himself.
 */
export function onBehalfOf(masterKey: Buffer, ip: string, now = Date.now()): string {
  const said = `${ip} ${now}`;
  return `${said} ${proofOf(masterKey, said).toString("base64url")}`;
}

/** Takes the address of such a header as the request's own. One without a right proof is passed over, as any header that we do not know. */
export function applyOnBehalf(masterKey: MasterKey, request: Request, now = Date.now()): void {
  const value = request.headers[onBehalfHeader];
  if (typeof value !== "string") return;
  const [ip = "", time = "", proof = ""] = value.split(" ");
  if (Math.abs(now - Number(time)) > validMs || !/^\d+$/.test(time)) return;
  const given = Buffer.from(proof, "base64url");
  const isProof = keysOf(masterKey).some((key) => {
    const wanted = proofOf(key, `${ip} ${time}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (!isProof) return;
  Object.defineProperty(request, "ip", { value: ip });
}
