import type { Request } from "express";
import { sessionHours } from "../tables/sessions.ts";

/** `__Host-`: a browser takes it only over TLS (or from this machine), for this host and the whole of it, and no subdomain can set it. */
const name = "__Host-session";
const flags = "Path=/; Secure; HttpOnly; SameSite=Lax";

export function sessionCookie(request: Request): string | undefined {
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

export const setCookie = (token: string): string =>
  `${name}=${token}; Max-Age=${sessionHours * 3_600}; ${flags}`;
export const clearCookie = `${name}=; Max-Age=0; ${flags}`;
