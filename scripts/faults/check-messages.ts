import type { ApiClient } from "@heliograph/testkit";
import type { Verdict } from "./verdict.ts";
import { acceptedAnswer, type Send } from "./journal.ts";
import type { Stored } from "./log.ts";
import type { Tenant, World } from "./world.ts";

const pageSize = 100;

/** 1 to 4: what was answered is stored once, keys are honoured, providers got it once, and one final status came of it. */
export async function checkMessages(
  world: World,
  tenant: Tenant,
  client: ApiClient,
  log: readonly Stored[],
  verdict: Verdict,
): Promise<void> {
  const requested = groupBy(
    log.filter(({ type }) => type === "MessageRequested"),
    ({ data }) => data.client_ref as string,
  );
  const streams = groupBy(
    log.filter(({ stream }) => stream.startsWith("message-")),
    ({ stream }) => stream,
  );
  const listed = await listAll(client);
  const mails = groupBy(
    world.smtp.messages,
    ({ raw }) => /^Subject: (.*?)\r?$/m.exec(raw)?.[1] ?? "",
  );
  const sends = world.journal.sends.filter(
    (send) => send.partner === tenant.partner && send.environment === tenant.environment,
  );
  for (const send of sends) {
    const stored = requested.get(send.ref) ?? [];
    requested.delete(send.ref);
    checkAnswers(send, stored, verdict);
    const [request] = stored;
    if (request === undefined) continue;
    const events = streams.get(request.stream) ?? [];
    checkAccepts(send, events, mails.get(send.ref)?.length ?? 0, verdict);
    const shown = listed.get(request.data.message_id as string);
    const fresh = (await client.get(`/messages/${request.data.message_id}`)).body;
    if (shown !== fresh.status)
      verdict.broken(6, `${send.ref} is ${shown} in the list and ${fresh.status} by its id`);
    const expected =
      send.expected ?? (events.some(({ type }) => type === "MessageSent") ? "sent" : "failed");
    if (fresh.status !== expected)
      verdict.broken(
        4,
        `${send.ref} to ${String(send.body.to)} is ${String(fresh.status)}, not ${expected}: ${events.map(({ type }) => type).join(" ")}`,
      );
  }
  for (const ref of requested.keys())
    verdict.broken(
      1,
      `the log has ${ref}, which ${tenant.partner} never sent in ${tenant.environment}`,
    );
}

function checkAnswers(send: Send, stored: readonly Stored[], verdict: Verdict): void {
  const first = acceptedAnswer(send);
  if (stored.length > 1)
    verdict.broken(
      send.key === undefined ? 1 : 2,
      `${send.ref} is ${stored.length} times in the log`,
    );
  if (first === undefined) {
    const finalRefusal = send.answers.some(
      ({ status }) => status >= 400 && status < 500 && status !== 409,
    );
    if (stored.length > 0 && (finalRefusal || send.broken === 0))
      verdict.broken(
        1,
        `${send.ref} was answered ${send.answers.map(({ status }) => status).join(", ")} but is in the log`,
      );
    if (send.expected !== "refused" && send.key !== undefined && send.settled)
      verdict.broken(1, `${send.ref} was refused: ${send.answers.at(-1)?.text}`);
    return;
  }
  if (send.expected === "refused") verdict.broken(1, `${send.ref} should have been refused`);
  if (stored.length === 0)
    verdict.broken(1, `${send.ref} was answered ${first.status} but is not in the log`);
  for (const answer of send.answers)
    if (answer.id !== undefined && answer.text !== first.text)
      verdict.broken(2, `${send.ref} was answered ${first.text} and ${answer.text}`);
  if (stored[0] !== undefined && stored[0].data.message_id !== first.id)
    verdict.broken(
      1,
      `${send.ref} was answered ${first.id} but stored as ${stored[0].data.message_id}`,
    );
}

/** 3: one accept for a message, one more for each bounce that asked for it and for each attempt whose outcome was not known. */
function checkAccepts(
  send: Send,
  events: readonly Stored[],
  mails: number,
  verdict: Verdict,
): void {
  const count = (type: string): number => events.filter((event) => event.type === type).length;
  const sent = count("MessageSent") + count("MessageResent");
  const allowed = 1 + count("BounceDeferred");
  if (count("MessageSent") > 1 || sent > allowed)
    verdict.broken(
      3,
      `${send.ref} was sent ${sent} times: ${events.map(({ type }) => type).join(" ")}`,
    );
  if (send.environment === "sandbox" || send.body.channel !== "email") {
    if (mails > 0) verdict.broken(8, `${send.ref} reached the mail server`);
    return;
  }
  const uncertain = count("DispatchUncertain");
  if (mails > 1 + uncertain)
    verdict.broken(
      3,
      `${send.ref} reached the mail server ${mails} times with ${uncertain} uncertain attempts`,
    );
  if (mails === 0 && sent > 0) verdict.broken(3, `${send.ref} is sent, but no mail arrived`);
  if (mails > 0 && sent === 0 && uncertain === 0)
    verdict.broken(3, `${send.ref} reached the mail server, and nothing says so`);
}

async function listAll(client: ApiClient): Promise<ReadonlyMap<string, string>> {
  const statuses = new Map<string, string>();
  for (let after: string | null = ""; after !== null;) {
    const { body } = await client.get(
      `/messages?limit=${pageSize}${after && `&after=${encodeURIComponent(after)}`}`,
    );
    for (const { id, status } of body.data as { id: string; status: string }[])
      statuses.set(id, status);
    after = body.next_cursor as string | null;
  }
  return statuses;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
