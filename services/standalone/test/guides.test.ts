import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openSetting, type Setting } from "./setting.ts";

const guides = new URL("../../../docs/guides", import.meta.url).pathname;

let setting: Setting;
/** What stands for an id that a page leaves out, such as `ptn_…`. */
const left: Record<string, string> = {};
beforeAll(async () => {
  setting = await openSetting();
  const { body } = await setting.admin.get("/admin/partners");
  left["ptn_…"] = body.data.find(({ name }: { name: string }) => name === "Demo").id;
  const message = { channel: "sms", to: "+15551230001", text: "hello" };
  left["msg_…"] = (await setting.sandbox.post("/messages", message)).body.id;
}, 60_000);
const filled = (text: string): string =>
  Object.entries(left).reduce((whole, [gap, id]) => whole.replaceAll(gap, id), text);

type Shown = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** An object for JSON, a text for what is sent as it stands. */
  readonly body: Record<string, unknown> | string | undefined;
};

/** What a page shows to be sent, in its order: `POST /path`, headers, a blank line where there are any, and the body. */
function requestsIn(page: string): readonly Shown[] {
  return [
    ...filled(readFileSync(join(guides, `${page}.md`), "utf8")).matchAll(
      /```http\n([A-Z]+) (\S+)\n([^`]*)```/g,
    ),
  ].map(([, method, path, all]) => {
    const rest = all!.trimStart();
    const [head, body] = rest.startsWith("{") ? ["", rest] : rest.split("\n\n");
    const lines = head!.split("\n").filter((line) => line !== "");
    return {
      method: method!,
      path: path!,
      headers: Object.fromEntries(lines.map((line) => line.split(": ") as [string, string])),
      body:
        body === undefined || body === ""
          ? undefined
          : body.startsWith("{")
            ? (JSON.parse(body) as Record<string, unknown>)
            : body,
    };
  });
}

type Answered = {
  readonly request: string;
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- an answer of any route
  readonly body: any;
};

/** The page's dates are in the past some day. */
function withLaterDates(body: Record<string, unknown>): Record<string, unknown> {
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const dates = ["send_at", "effective_from"].filter((field) => body[field] !== undefined);
  return { ...body, ...Object.fromEntries(dates.map((field) => [field, later])) };
}

/** Sends it. Of a stream only what comes first is read. */
async function sendShown({ method, path, headers, body }: Shown): Promise<Answered> {
  const { baseUrl, sandboxKey, adminKey } = setting.instance;
  const sent = typeof body === "object" ? withLaterDates(body) : body;
  const answer = await fetch(baseUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${path.startsWith("/api/v1/admin/") ? adminKey : sandboxKey}`,
      ...(typeof sent === "object" && { "content-type": "application/json" }),
      ...headers,
    },
    ...(sent !== undefined && { body: typeof sent === "string" ? sent : JSON.stringify(sent) }),
    signal: AbortSignal.timeout(20_000),
  });
  const common = {
    request: `${method} ${path}`,
    status: answer.status,
    headers: answer.headers,
  };
  if (answer.status === 204) return { ...common, body: {} };
  if (!answer.headers.get("content-type")!.startsWith("text/event-stream"))
    return { ...common, body: await answer.json() };
  let text = "";
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\ndata: ")) break;
  }
  return { ...common, body: text };
}

/** What a page takes to be there: other pages show how it is made. */
const there: Readonly<Record<string, Shown>> = {
  broadcasts: {
    method: "POST",
    path: "/api/v1/templates",
    headers: {},
    body: {
      slug: "renewal",
      channel: "sms",
      default_language: "en",
      languages: { en: { text: "{{shop}}: {{name}}, your {{plan}} ends." } },
      variables: { shop: { type: "string" }, name: { type: "string" }, plan: { type: "string" } },
    },
  },
};

/** Sends what a page shows; `{name}` in a path is the field of that name in an answer before, or in the first item of its list. */
async function follow(page: string): Promise<readonly Answered[]> {
  let known: Record<string, unknown> = {};
  if (there[page] !== undefined) expect((await sendShown(there[page])).status).toBe(201);
  const answers: Answered[] = [];
  for (const shown of requestsIn(page)) {
    const path = shown.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(known[name]));
    const answer = await sendShown({ ...shown, path });
    known = { ...answer.body.data?.[0], ...known, ...answer.body };
    answers.push(answer);
  }
  return answers;
}

/** Lists what the others sent, or changes what they meet. */
const last = ["lists", "sandbox", "wallet", "limits"];
/** Every page that shows a request. */
const pages = globSync("*.md", { cwd: guides })
  .map((file) => file.replace(".md", ""))
  .filter((page) => requestsIn(page).length > 0)
  .toSorted((one, other) => last.indexOf(one) - last.indexOf(other));

/** What an answer must be beyond accepted, where a page says so. */
const promised: Readonly<Record<string, (answers: readonly Answered[]) => void>> = {
  batch: ([sent]) => expect(sent!.body).toMatchObject({ accepted: 1, refused: 1 }),
  events([sent, feed, stream]) {
    expect(sent!.status).toBe(200);
    expect(sent!.headers.get("preference-applied")).toBe("wait");
    expect(feed!.body.next_after).toBeGreaterThan(0);
    expect(stream!.body).toMatch(/^id: \d+\ndata: \{"id":"evt_/m);
  },
  lists([first, second, filtered]) {
    const idsOf = (answer: Answered | undefined): string[] =>
      answer!.body.data.map(({ id }: { id: string }) => id);
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBeGreaterThan(2);
    expect(idsOf(filtered)).not.toEqual([]);
  },
  "looking-back"([sent, timeline, before, explained, proof]) {
    expect(timeline!.body.data.length).toBeGreaterThan(1);
    expect(before!.body).toMatchObject({ id: sent!.body.id, status: "queued" });
    expect(explained!.body).toMatchObject({ field: "status", present: true });
    expect(explained!.body.events.at(-1).after).toBe(explained!.body.value);
    expect(proof!.body.matches).toBe(true);
  },
  suppressions([made, , ended]) {
    expect(made!.body.ended_at).toBeNull();
    expect(ended!.body).toEqual({ ...made!.body, ended_at: expect.any(String) });
  },
};

test("the guides show requests", () => {
  expect(pages).toEqual(expect.arrayContaining(Object.keys(promised)));
});

test.each(pages)("what the guide to %s shows is accepted", async (page) => {
  const answers = await follow(page);
  for (const { request, status, body } of answers)
    expect([request, status, body.errors]).toEqual([
      request,
      expect.toSatisfy((code: number) => code < 300),
      undefined,
    ]);
  promised[page]?.(answers);
});
