import diagnostics from "node:diagnostics_channel";
import { until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { allOf } from "../src/all-of.ts";
import { readBatch, writeOutcomes } from "../src/batch-csv.ts";
import { barChart, rowChart } from "../src/view/chart.ts";
import { typedVariables, withTypedVariables } from "../src/variables.ts";
import { diffWords } from "../src/words-diff.ts";
import { form, hiddenIn, openDesk } from "./desk.ts";

const { world, keys, fetchPage, signedIn, read, press } = await openDesk();

const messages = async (): Promise<readonly { to: string; client_ref: string | null }[]> =>
  (await world.call("GET", "/api/v1/messages?limit=100", { key: keys.sandboxKey })).body.data;

test("a choice has more than a page of the platform's lists, up to a bound that is said", async () => {
  const rows = Array.from({ length: 2_345 }, (_, index) => index);
  const asked: string[] = [];
  const get = async (path: string, query: Record<string, unknown> = {}) => {
    const from = Number(query["after"] ?? 0);
    asked.push(`${path} ${from} ${String(query["channel"])}`);
    const to = from + Number(query["limit"]);
    const data = rows.slice(from, to);
    return { data, next_cursor: to < rows.length ? String(to) : null, prev_cursor: null };
  };
  const api = { get } as unknown as Parameters<typeof allOf>[0];
  const found = await allOf<number>(api, "/templates", { channel: "sms" });
  expect([found.data.length, found.data.at(-1), found.more]).toEqual([1_000, 999, true]);
  expect([asked.length, asked.at(-1)]).toEqual([10, "/templates 900 sms"]);
  rows.length = 250;
  const fewer = await allOf<number>(api, "/agents");
  expect([fewer.data, fewer.more]).toEqual([rows, false]);

  const cookie = await signedIn();
  const made = Array.from({ length: 101 }, (_, index) => `choice-${index}`);
  await Promise.all(
    made.map((slug) =>
      world.call("POST", "/api/v1/templates", {
        key: keys.sandboxKey,
        body: { slug, channel: "sms", default_language: "en", languages: { en: { text: "Hi" } } },
      }),
    ),
  );
  await until(
    async () => {
      const page = await read(cookie, "/console/send");
      return [made[0], made[100]].every((slug) => page.includes(`<option value="${slug}"`));
    },
    { what: "the first and the last can be chosen" },
  );
});

test("a file is read as spreadsheets write it, and what is wrong with it is said", () => {
  const file = '\uFEFFto;text;variables[name]\r\n+15551230001;"a;b""c";\'=Ada\r\n';
  expect(readBatch(file).rows).toEqual([
    {
      line: 2,
      to: "+15551230001",
      about: 'a;b"c',
      message: { channel: "sms", to: "+15551230001", text: 'a;b"c', variables: { name: "=Ada" } },
    },
  ]);
  for (const [text, why] of [
    ["", "nothing in it"],
    ["to,colour\n1,2", "Not known: colour"],
    ["text\nhello", "names the columns"],
    ["to,text", "no line below"],
    [`to,text\n${"1,2\n".repeat(1_001)}`, "one batch takes 1000"],
    ["ж".repeat(100_001), "larger than"],
  ])
    expect(readBatch(text!).refusal).toContain(why);
});

test("a batch is looked at first, line by line, and sent once however often it is posted", async () => {
  const cookie = await signedIn();
  const before = (await messages()).length;
  const csv = "to,text,client_ref\n+15551230001,one,b-1\nnobody,two,b-2\n+15551230001,three,b-3\n";
  const upload = new FormData();
  const front = await read(cookie, "/console/batch");
  for (const [name, value] of Object.entries(hiddenIn(front, "/console/batch")))
    upload.set(name, value);
  upload.set("csv", "");
  upload.set("file", new Blob([csv], { type: "text/csv" }), "batch.csv");
  const looked = await fetchPage("/console/batch", {
    method: "POST",
    headers: { cookie },
    body: upload,
  });
  const preview = await looked.text();
  expect(looked.status).toBe(200);
  // Percent-encoded, letters that are not ASCII would be three times as long, and too much for a form.
  expect(preview).toContain('action="/console/batch" enctype="multipart/form-data"');
  expect(preview).toContain("1 of them would be refused");
  expect((await messages()).length).toBe(before);

  const fields = { ...hiddenIn(preview, "/console/batch"), csv };
  const sent = await Promise.all(
    [1, 2, 3].map(async () => {
      const answer = await fetchPage("/console/batch", {
        method: "POST",
        headers: { cookie },
        body: new URLSearchParams(fields),
      });
      return answer.text();
    }),
  );
  for (const text of sent) {
    expect(text).toContain("<strong>2 accepted</strong>, 1 refused");
    const [, file] = /download="batch-result.csv" href="data:text\/csv;charset=utf-8,([^"]+)"/.exec(
      text,
    )!;
    const lines = decodeURIComponent(file!.replaceAll("&#39;", "'")).split("\r\n");
    expect(lines).toEqual([
      '"line","to","message_id","status","error_code","error"',
      expect.stringMatching(/^2,"'\+15551230001","msg_\w+","queued","",""$/),
      expect.stringMatching(/^3,"nobody","","refused","\w+",".+"$/),
      expect.stringMatching(/^4,"'\+15551230001","msg_\w+","queued","",""$/),
      "",
    ]);
  }
  const made = (await messages()).filter(({ client_ref }) => client_ref?.startsWith("b-"));
  expect(made.length).toBe(2);
  expect(new Set(made.map(({ client_ref }) => client_ref))).toEqual(new Set(["b-1", "b-3"]));
});

test("a batch's result is a file in which no cell runs, and each is one cell", () => {
  const cell = { line: 2, to: "=1+1", id: "", status: "refused", code: "x", why: 'a "b",\r\nc;=2' };
  expect(writeOutcomes([cell]).split("\r\n").slice(1).join("\r\n")).toBe(
    `2,"'=1+1","","refused","x","a ""b"",\r\nc;'=2"\r\n`,
  );
});

test("a chart of nothing says what would be there, and one of something is as high on a phone", () => {
  const series = [{ name: "sent", look: "good" }] as const;
  const how = { column: "When", nothing: "Send one, and it is here." };
  const bars = (part: number) => [{ label: "10:00", parts: [part] }];
  const nothing = [barChart("a", "A", series, bars(0), how), rowChart("b", "B", [], how)].map(
    String,
  );
  for (const text of nothing) {
    expect(text).toContain("Send one, and it is here.");
    expect(text).not.toMatch(/<svg|<table/);
  }
  const drawn = String(barChart("a", "A", series, bars(3), how));
  expect(drawn).toMatch(/<rect class="good" x="46%" y="51" width="8%" height="105"\/>/);
  expect(drawn).not.toContain("viewBox");
});

test("a send waits for its outcome, so that its page says what became of it", async () => {
  const asked: string[] = [];
  const note = (message: unknown): void => {
    const { request } = message as { request: { path: string; method: string; headers: unknown } };
    if (`${request.method} ${request.path}` === "POST /api/v1/messages")
      asked.push(String(request.headers));
  };
  diagnostics.subscribe("undici:request:create", note);
  try {
    const sent = await press(await signedIn(), "/console/send", "/console/send", {
      channel: "sms",
      to: "+15551230001",
      text: "now",
    });
    expect(sent.status).toBe(303);
  } finally {
    diagnostics.unsubscribe("undici:request:create", note);
  }
  expect(asked).toEqual([expect.stringMatching(/prefer\W+wait=15/i)]);
});

test("other channels and quiet hours go with a send, once however often it is posted; what is wrong with them stands beside their fields", async () => {
  const cookie = await signedIn();
  const hour = (fromNow: number): string =>
    new Date(Date.now() + fromNow * 3_600_000).toISOString().slice(11, 16);
  const quietFrom = hour(3);
  const fields = {
    channel: "sms",
    to: "+15551230003",
    text: "Your code is 4711.",
    "failover_0[channel]": "whatsapp",
    "failover_0[to]": "+15551230001",
    "failover_0[text]": "Your code: 4711.",
    "failover_on_0[failed]": "1",
    "failover_on_0[no_receipt]": "1",
    "failover_0[after_seconds]": "60",
    "quiet_hours[from]": quietFrom,
    "quiet_hours[to]": hour(4),
    "quiet_hours[zone]": "UTC",
    "quiet_hours[policy]": "reject",
  };
  const empty = await read(cookie, "/console/send");
  expect(empty.match(/<details class="more">/g)).toHaveLength(2);
  expect(empty).toMatch(/<label for="f-failover-0-channel-">Channel<\/label>/);
  const own = hiddenIn(empty, "/console/send");
  const post = (given: Record<string, string>) =>
    fetchPage("/console/send", form({ ...own, ...given }, { cookie }));
  const sent = await Promise.all([post(fields), post(fields)]);
  const [place, ...others] = new Set(sent.map(({ headers }) => headers.get("location")));
  expect([sent.map(({ status }) => status), others]).toEqual([[303, 303], []]);
  const path = `/api/v1/messages/${place!.split("/").at(-1)}`;
  const get = async (of: string) => (await world.call("GET", of, { key: keys.sandboxKey })).body;
  expect((await get(path)).failover[1]).toMatchObject({ channel: "whatsapp", to: "+15551230001" });
  const [requested] = (await get(`${path}/timeline`)).data;
  expect(requested.data).toMatchObject({
    quiet_hours: { from: quietFrom, zones: ["UTC"], policy: "reject" },
    failover: [{ on: ["failed", "no_receipt"], after_seconds: 60 }],
  });

  const bad = {
    "failover_1[channel]": "email",
    "failover_1[to]": "nobody",
    "failover_1[subject]": "Code",
    "failover_on_1[failed]": "1",
  };
  const none = ["channel", "to", "text", "after_seconds"].map((name) => [
    `failover_0[${name}]`,
    "",
  ]);
  const refused = await post({ ...fields, ...Object.fromEntries(none), ...bad, key: "another" });
  const text = await refused.text();
  expect([refused.status, text.match(/<details class="more" open>/g)?.length]).toEqual([422, 2]);
  // The second block on the page, since the first is empty, and the first step of the message.
  expect(text).toMatch(
    /name="failover_1\[to\]" aria-invalid="true" aria-describedby="f-failover-1-to--error f-failover-1-to--hint" value="nobody"/,
  );
  expect(text).toContain('<p class="error" id="f-failover-1-to--error">');
  expect(text).not.toContain('id="f-failover-0-to--error"');
  // What is filled in without a channel is not left out without a word.
  const nowhere = await post({ ...fields, "failover_0[channel]": "", key: "nowhere" });
  expect(nowhere.status).toBe(422);
  expect(await nowhere.text()).toContain('<p class="error" id="f-failover-0-channel--error">');
  const zone = await post({ ...fields, key: "third", "quiet_hours[zone]": "Mars/Base" });
  expect(await zone.text()).toMatch(/id="f-quiet-hours-zone--error">[^<]+</);
});

test("a list's pages show each message once, there and back, while others arrive", async () => {
  const cookie = await signedIn();
  const send = async (tags = ["many"]): Promise<string> => {
    const body = { channel: "sms", to: "+15551230001", text: "one of many", tags };
    return (await world.call("POST", "/api/v1/messages", { key: keys.sandboxKey, body })).body.id;
  };
  const ids = await Promise.all(Array.from({ length: 5 }, () => send()));
  await send([]);
  const first = "/console/messages?limit=2&tag=many";
  await until(
    async () => {
      const text = await read(cookie, "/console/messages?limit=100&tag=many");
      return ids.every((id) => text.includes(id));
    },
    { what: "all of them are listed" },
  );
  const shownIn = (text: string): readonly string[] =>
    [...text.matchAll(/<td><a href="\/console\/messages\/(msg_\w+)"/g)].map(([, id]) => id!);
  const walk = async (from: string, rel: string): Promise<[readonly string[], string]> => {
    const seen: string[] = [];
    let at = from;
    for (let next: string | undefined = from; next !== undefined;) {
      at = next;
      const text = await read(cookie, at);
      const rows = shownIn(text);
      expect(rows.length).toBeLessThanOrEqual(2);
      seen.push(...(rel === "next" ? rows : rows.toReversed()));
      next = new RegExp(`rel="${rel}" href="([^"]*)"`).exec(text)?.[1]?.replaceAll("&amp;", "&");
      if (at === from && rel === "next") await send();
    }
    return [seen, at];
  };
  const [there, last] = await walk(first, "next");
  expect(there.toSorted()).toEqual(ids.toSorted());
  const [back] = await walk(last, "prev");
  expect(back.slice(0, 5)).toEqual(there.toReversed());
});

test("a list keeps its length through its filters", async () => {
  const cookie = await signedIn();
  const kept = '<input type="hidden" name="limit" value="7">';
  expect(await read(cookie, "/console/messages?limit=7&status=sent")).toContain(kept);
  expect(await read(cookie, "/console/messages?status=sent")).not.toContain('name="limit"');
});

test("a template is made, gets a version, shows what changed between them, and is seen as it would be read", async () => {
  const cookie = await signedIn();
  const made = await press(cookie, "/console/template-new", "/console/template-new", {
    slug: "parcel",
    channel: "sms",
    language: "en",
    new_text: "Hello {{name}}, your parcel is here.",
  });
  const place = "/console/templates/parcel?channel=sms";
  expect(made.headers.get("location")).toMatch(/^\/console\/templates\/parcel\?channel=sms&told=/);
  const form = "/console/templates/parcel/version?channel=sms";
  const next = await press(cookie, form, form, {
    "text[en]": "Dear {{name}}, your parcel waits.",
    language: "de",
    new_text: "Hallo {{name}}",
  });
  expect(next.status).toBe(303);
  expect(await read(cookie, place)).toContain("version 2");
  const compared = await read(cookie, "/console/templates/parcel/compare?channel=sms");
  expect(compared).toContain("<del>Hello</del><ins>Dear</ins> {{name}}");

  const before = (await messages()).length;
  const priced = await press(cookie, "/console/send", "/console/send", {
    channel: "sms",
    to: "+15551230001",
    template: "parcel",
    language: "en",
    "variables[name]": "<b>Ada</b>",
    price: "1",
  });
  const text = await priced.text();
  expect(text).toContain("Dear &lt;b&gt;Ada&lt;/b&gt;, your parcel waits.");
  expect(text).toContain("Nothing was sent yet");
  expect((await messages()).length).toBe(before);
  const refused = await press(cookie, "/console/template-new", "/console/template-new", {
    slug: "Not A Slug",
    channel: "sms",
    language: "en",
    new_text: "kept as typed",
  });
  expect(refused.status).toBe(422);
  expect(await refused.text()).toContain("kept as typed");
});

test("variables go as the types that their template declares, in a form, an answer's preview and a file, and what is no such value is refused by its name", async () => {
  const declared = {
    name: { type: "string" },
    count: { type: "number" },
    late: { type: "boolean" },
  } as const;
  const given = { name: "7", count: " 3.5 ", late: "True", other: "1" };
  expect(typedVariables(given, declared)).toEqual({
    name: "7",
    count: 3.5,
    late: true,
    other: "1",
  });
  expect(typedVariables({ name: "", count: "", late: "" }, declared)).toEqual({ name: "" });
  const wrong = { count: "3,5", late: "perhaps" };
  expect(typedVariables(wrong, declared)).toEqual(wrong);
  expect(typedVariables({ count: "1e999", toString: "x" }, declared)).toEqual({
    count: "1e999",
    toString: "x",
  });

  const made = await world.call("POST", "/api/v1/templates", {
    key: keys.sandboxKey,
    body: {
      slug: "typed",
      channel: "sms",
      default_language: "en",
      languages: { en: { text: "{{name}}: {{count}} parcels, late: {{late}}" } },
      variables: {
        name: { type: "string", required: true },
        count: { type: "number", required: true },
        late: { type: "boolean" },
      },
    },
  });
  expect(made.status).toBe(201);
  const cookie = await signedIn();
  const send = { channel: "sms", to: "+15551230001", template: "typed", "variables[name]": "7" };
  const ask = async (more: object) =>
    (
      await press(cookie, "/console/send", "/console/send", {
        ...send,
        "variables[late]": "false",
        price: "1",
        ...more,
      })
    ).text();
  expect(await ask({ "variables[count]": "3" })).toContain("7: 3 parcels, late: false");
  expect(await ask({ "variables[count]": "three" })).toContain("variables.count");
  const place = "/console/templates/typed?channel=sms";
  const seen = await press(cookie, place, place, {
    language: "en",
    "variables[name]": "7",
    "variables[count]": "3",
    "variables[late]": "true",
  });
  expect(await seen.text()).toContain("7: 3 parcels, late: true");
  const asked: string[] = [];
  const get = async (path: string) => {
    asked.push(path);
    return { variables: declared };
  };
  const row = { channel: "sms", template: "typed", variables: { count: "3" } };
  const api = { get } as unknown as Parameters<typeof withTypedVariables>[0];
  expect(await withTypedVariables(api, [row, { channel: "sms", text: "x" }, row])).toEqual([
    { ...row, variables: { count: 3 } },
    { channel: "sms", text: "x" },
    { ...row, variables: { count: 3 } },
  ]);
  expect(asked, "each template once").toEqual(["/templates/typed"]);
});

test("a difference gives both texts back", () => {
  for (const [from, to] of [
    ["", "a b"],
    ["a b c", "a c"],
    ["same", "same"],
    ["x ".repeat(3_000), "y"],
  ] as const) {
    const pieces = diffWords(from, to);
    const only = (kind: string): string =>
      pieces.flatMap((piece) => (piece.kind === kind ? [] : [piece.text])).join("");
    expect([only("new"), only("gone")]).toEqual([from, to]);
  }
});
