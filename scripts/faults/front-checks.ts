import { apiClient, until, type ApiAnswer } from "@heliograph/testkit";
import type { Front } from "./front.ts";
import type { World } from "./world.ts";

const body = { channel: "whatsapp", to: "+15550000001", text: "Hello" };

/** What one copy began goes on at the other, whichever of them does the work behind the API. Throws where it does not. */
export async function eitherAnswers(world: World, front: Front): Promise<void> {
  const [one, other] = front.places.map(({ url }) => url) as [string, string];
  for (const [first, second] of [
    [one, other],
    [other, one],
  ] as const) {
    await sendsGoOn(world, first, second);
    await pagesGoOn(world, first, second);
  }
}

const check = (what: string, holds: boolean, answer: { status: number; text: string }): void => {
  if (!holds) throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 300)}`);
};

/** Waiting for an outcome, a repeated key, reading what one has just written, and a list read on. */
async function sendsGoOn(world: World, first: string, second: string): Promise<void> {
  const key = world.instance.sandboxKey;
  const [at, there] = [apiClient(first, key), apiClient(second, key)];
  const idempotency = { "idempotency-key": `over-${first}` };
  const sent = await at.post("/messages", body, idempotency);
  check("a send", sent.status === 202, sent);
  const again = await there.post("/messages", body, idempotency);
  const isRepeated = again.status === 202 && again.headers.get("idempotent-replayed") === "true";
  check("its key at the other copy", isRepeated && again.body.id === sent.body.id, again);
  const listed = await read(second, key, "/messages?limit=1", {
    "min-log-position": sent.headers.get("log-position")!,
  });
  check("the list there", listed.text.includes(sent.body.id), listed);
  const waited = await there.post("/messages", body, { prefer: "wait=20" });
  check("a send that waits", waited.status === 200, waited);
  const page = await read(first, key, "/messages?limit=1", {
    "min-log-position": waited.headers.get("log-position")!,
  });
  const shown = JSON.parse(page.text) as { next_cursor: string; data: { id: string }[] };
  const rest = await there.get(`/messages?limit=1&cursor=${shown.next_cursor}`);
  const isNext = rest.status === 200 && rest.body.data[0].id !== shown.data[0]!.id;
  check("the next page there", isNext, rest);
  const report = { message_id: waited.body.id, status: "read" };
  const taken = await at.post("/sandbox/receipts", report);
  check("a provider's report", taken.status === 202, taken);
  await until(async () => (await there.get(`/messages/${waited.body.id}`)).body.status === "read", {
    what: "the report is seen at the other copy",
  });
}

async function read(
  base: string,
  key: string,
  path: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<Pick<ApiAnswer, "status" | "text">> {
  const headers = { authorization: `Bearer ${key}`, ...extra };
  const answer = await fetch(`${base}/api/v1${path}`, { headers });
  return { status: answer.status, text: await answer.text() };
}

/** Who signs in to the console at one copy is known at the other, and after the end of the session at neither. */
async function pagesGoOn(world: World, first: string, second: string): Promise<void> {
  const visit = async (base: string, path: string, init: RequestInit = {}) => {
    const answer = await fetch(base + path, { redirect: "manual", ...init });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const form = new URLSearchParams(world.instance.agent);
  const entered = await visit(first, "/console/sign-in", { method: "POST", body: form });
  check("a sign-in", entered.status === 303, entered);
  const headers = { cookie: entered.headers.get("set-cookie")!.split(";")[0]! };
  const shown = await visit(second, "/console/messages", { headers });
  check("a page at the other copy", shown.status === 200, shown);
  const [, token = ""] =
    /action="\/console\/sign-out".*?name="csrf" value="([^"]*)"/s.exec(shown.text) ?? [];
  const left = await visit(second, "/console/sign-out", {
    method: "POST",
    headers,
    body: new URLSearchParams({ csrf: token }),
  });
  check("a sign-out", left.status === 303, left);
  const after = await visit(first, "/console/messages", { headers });
  check("a page after it", after.status === 303, after);
}

/** Reads a partner's feed as server-sent events over an address, and connects again behind its last event whenever it is cut. */
export function followFeed(base: string, key: string) {
  const ended = new AbortController();
  const ids: number[] = [];
  let connections = 0;
  const headers = () => ({
    authorization: `Bearer ${key}`,
    ...(ids.length > 0 && { "last-event-id": String(ids.at(-1)) }),
  });
  const following = (async () => {
    while (!ended.signal.aborted)
      try {
        const answer = await fetch(`${base}/api/v1/events/stream?after=0`, {
          headers: headers(),
          signal: ended.signal,
        });
        connections++;
        let text = "";
        for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
          const lines = (text + piece).split("\n");
          text = lines.pop()!;
          for (const line of lines) if (line.startsWith("id: ")) ids.push(Number(line.slice(4)));
        }
      } catch {
        // Cut, or nobody answers: it connects again.
        await new Promise((resolve) => void setTimeout(resolve, 50));
      }
  })();
  return {
    end: () => ended.abort(),
    /** Says what was read, once that is as far as the feed is now; throws where something is missing, twice or out of order. */
    async whole(): Promise<string> {
      const last = await lastOf(base, key);
      await until(() => (ids.at(-1) ?? 0) >= last, { what: `the follower has read up to ${last}` });
      ended.abort();
      await following;
      const wrong = ids.find((id, index) => id !== index + 1);
      if (wrong !== undefined) throw new Error(`the follower read ${wrong} out of turn`);
      return `a follower read ${ids.length} events in ${connections} connections, each once`;
    },
  };
}

async function lastOf(base: string, key: string): Promise<number> {
  const { text } = await read(base, key, `/events?limit=1&before=${Number.MAX_SAFE_INTEGER}`);
  const [newest] = (JSON.parse(text) as { data: readonly { sequence: number }[] }).data;
  return newest!.sequence;
}
