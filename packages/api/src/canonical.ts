import { hash } from "node:crypto";

/** JSON with sorted keys: two bodies that mean the same have the same text. */
export function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const fields = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(fields)
    .filter((key) => fields[key] !== undefined)
    .sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(fields[key])}`).join(",")}}`;
}

/** What makes two requests the same one: SHA-256 over what they ask and the canonical body. */
export const fingerprint = (what: string, body: unknown): string =>
  hash("sha256", `${what}\n${canonical(body)}`, "hex");
