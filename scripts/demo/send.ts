import type { Api } from "./api.ts";
import { cases } from "./cases.ts";
import { newLife, type Life } from "./life.ts";
import type { Reporter } from "./view.ts";

type Sending = {
  readonly api: Api;
  readonly lives: Map<string, Life>;
  readonly reporter: Reporter;
  readonly problems: string[];
  readonly startedAtMs: number;
};
type Accepted = { readonly id?: string; readonly code?: string; readonly detail?: string };

/** Sends every case, the first one twice, and enters what was accepted into `lives`; gives the codes of the refused ones by name. */
export async function sendCases(sending: Sending): Promise<ReadonlyMap<string, string>> {
  const { api, lives, reporter } = sending;
  const refusals = new Map<string, string>();
  for (const [index, item] of cases.entries()) {
    const key = `demo-${sending.startedAtMs}-${index}`;
    const sentAtMs = Date.now();
    const { status, body } = await api.call<Accepted>("POST", "/messages", {
      body: item.request,
      key,
    });
    const accepted = status === 202 && body.id !== undefined;
    if (accepted) lives.set(body.id, newLife(item, body.id, sentAtMs));
    else refusals.set(item.name, body.code ?? `${status}`);
    reporter.add({
      atMs: sentAtMs,
      name: item.name,
      place: "",
      type: accepted ? `${status} Accepted` : `${status} refused`,
      text: accepted ? body.id : `${body.code}: ${body.detail}`,
      style: accepted ? "bold" : item.expected === "refused" ? "yellow" : "red",
    });
    if (accepted && index === 0) await repeat(sending, key, body.id);
  }
  return refusals;
}

/** The same request with the same key is the same message: nothing is sent a second time. */
async function repeat(sending: Sending, key: string, id: string): Promise<void> {
  const [first] = cases;
  const atMs = Date.now();
  const { status, body, headers } = await sending.api.call<Accepted>("POST", "/messages", {
    body: first!.request,
    key,
  });
  const same = body.id === id && headers.get("idempotent-replayed") === "true";
  if (!same) sending.problems.push("a repeated request was not answered with the first message");
  sending.reporter.add({
    atMs,
    name: first!.name,
    place: "",
    type: `${status} replayed`,
    text: same ? "same Idempotency-Key, same message" : `answered with ${body.id ?? body.code}`,
    style: same ? "bold" : "red",
  });
}
