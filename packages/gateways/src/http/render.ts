import type { HttpRequest } from "../call.ts";
import type { Attempt } from "../types.ts";
import type { HttpSettings } from "./settings.ts";

/** What templates may name. */
const valuesOf = (attempt: Attempt, callbackUrl: string): Readonly<Record<string, string>> => ({
  attempt_id: attempt.attemptId,
  message_id: attempt.messageId,
  attempt: String(attempt.attempt),
  channel: attempt.channel,
  to: attempt.to,
  from: attempt.from ?? "",
  text: attempt.content.text ?? "",
  html: attempt.content.html ?? "",
  subject: attempt.content.subject ?? "",
  category: attempt.category ?? "",
  media_url: attempt.media?.[0]?.url ?? "",
  callback_url: callbackUrl,
  traceparent: attempt.traceparent ?? "",
});

type Escape = (value: string) => string;
const asJson: Escape = (value) => JSON.stringify(value).slice(1, -1);
const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};
const asXml: Escape = (value) => value.replace(/[&<>"']/g, (each) => entities[each]!);
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const asHeader: Escape = (value) => value.replace(/[\u0000-\u001f\u007f]+/g, " ");
const asIs: Escape = (value) => value;

/** How a value is written into a body, so that what somebody wrote ends no text and opens no field. */
function escapeFor(contentType: string): Escape {
  if (/json/i.test(contentType)) return asJson;
  if (/x-www-form-urlencoded/i.test(contentType)) return encodeURIComponent;
  return /xml|html/i.test(contentType) ? asXml : asIs;
}

/** A name that is none stays as it is written: the dry run shows it. */
const filled = (
  template: string,
  values: Readonly<Record<string, string>>,
  escape: Escape,
): string =>
  template.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? escape(values[name]!) : whole,
  );

function filledDeep(part: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof part === "string") return filled(part, values, asIs);
  if (Array.isArray(part)) return part.map((each) => filledDeep(each, values));
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, filledDeep(value, values)]),
  );
}

/** Whether a placeholder in the path would be `.` or `..`, which lead elsewhere however they are encoded (URL Standard, 4.2). */
function leavesPath(url: string, values: Readonly<Record<string, string>>): boolean {
  const [path = ""] = url.split(/[?#]/, 1);
  return path
    .split("/")
    .some(
      (part) =>
        part.includes("{{") && /^(?:\.|%2e){1,2}$/i.test(filled(part, values, encodeURIComponent)),
    );
}

/** The request for an attempt; undefined where what somebody wrote would make it another one than is configured. Pure; the headers that are secret come on top. */
export function renderRequest(
  attempt: Attempt,
  { method, url, headers = {}, body }: HttpSettings,
  callbackUrl: string,
): HttpRequest | undefined {
  const values = valuesOf(attempt, callbackUrl);
  if (leavesPath(url, values)) return undefined;
  const given = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    filled(value, values, asHeader),
  ]);
  const isJson = typeof body === "object";
  const all: Record<string, string> = {
    ...(isJson && { "content-type": "application/json" }),
    ...Object.fromEntries(given),
  };
  const text = isJson
    ? JSON.stringify(filledDeep(body, values))
    : body && filled(body, values, escapeFor(all["content-type"] ?? ""));
  const to = new URL(filled(url, values, encodeURIComponent)).href;
  return { method, url: to, headers: all, ...(text !== undefined && { body: text }) };
}
