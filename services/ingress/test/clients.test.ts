import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { answerInfo, heliograph, isEvent, NotFoundError, verifyWebhook } from "@heliograph/client";
import { main } from "heliograph";
import { tcpProxy, webhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { services } from "../src/index.ts";
import { alone } from "../src/tables/previews.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const root = new URL("../../..", import.meta.url).pathname;
/** A Python with what the client's tests need: of a virtual environment in `.cache/py`, or the machine's. */
const python = [join(root, ".cache/py/bin/python"), "python3"].find(
  (program) =>
    spawnSync(program, ["-c", "import httpx, pytest, typing; typing.NotRequired"]).status === 0,
);
if (python === undefined)
  process.stdout.write(
    "skipped: the client for Python, without Python 3.11, httpx and pytest: python3 -m venv .cache/py && .cache/py/bin/pip install httpx pytest\n",
  );

let world: World;
let folder: string;
beforeAll(async () => {
  world = await openWorld({ services, consumers: "run", partners: [{}] });
  folder = mkdtempSync(join(tmpdir(), "heliograph-cli-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const clientOf = () =>
  heliograph({ key: world.partners[0]!.key, baseUrl: `http://127.0.0.1:${world.port}` });

const running = async (partner: string): Promise<readonly object[]> => {
  const { pool } = world.platform.contexts.sandbox;
  const text = "select owner from broadcast_previews.running where partner = $1";
  return (await pool.query(text, [partner])).rows;
};

/** The program with these arguments: its exit code and what it printed. */
async function cli(
  args: readonly string[],
  options: {
    input?: string;
    env?: object;
    signal?: AbortSignal;
    onSay?: (line: string) => void;
  } = {},
) {
  const printed: string[] = [];
  const said: string[] = [];
  const code = await main({
    args,
    env: {
      HELIOGRAPH_KEY: world.partners[0]!.key,
      HELIOGRAPH_URL: `http://127.0.0.1:${world.port}`,
      XDG_CONFIG_HOME: folder,
      ...options.env,
    },
    signal: options.signal ?? new AbortController().signal,
    print: (line) => printed.push(line),
    say: (line) => {
      said.push(line);
      options.onSay?.(line);
    },
    readInput: async () => options.input ?? "",
  });
  return { code, printed: printed.join("\n"), said: said.join("\n") };
}

test("the contract's examples, with the client", async () => {
  const client = clientOf();
  await client.templates.create({
    slug: "order_confirmation",
    channel: "whatsapp",
    default_language: "en",
    languages: { en: { text: "Hi {{name}}, order {{order_id}} arrives in {{eta}}." } },
    variables: { name: { type: "string" }, order_id: { type: "string" }, eta: { type: "string" } },
  });
  const body = {
    channel: "whatsapp",
    to: "+15551234567",
    template: "order_confirmation",
    language: "en",
    variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
  } as const;
  const priced = await client.messages.send(body, { query: { dry_run: true } });
  expect(priced).toMatchObject({ status: "queued", cost_estimate: "0.012" });
  const key = { idempotencyKey: "order-204821" };
  const sent = await client.messages.send(body, key);
  expect(sent).toMatchObject({ status: "queued", channel: "whatsapp", cost_estimate: "0.012" });
  const again = await client.messages.send(body, key);
  expect(again).toEqual(sent);
  expect(answerInfo(again)?.isReplayed).toBe(true);
  const settled = await client.messages.send(
    { channel: "sms", to: "+15551230001", text: "hello" },
    { wait: 20 },
  );
  expect(["sent", "delivered"]).toContain(settled.status);

  const id = "id" in sent ? sent.id! : "";
  expect((await client.messages.get(id)).to).toBe("+15551234567");
  expect((await client.messages.timeline(id)).data[0]?.type).toBe("MessageRequested");
  const { accepted, refused } = await client.messages.sendBatch({
    messages: [
      { channel: "sms", to: "+15551230001", text: "one" },
      { channel: "sms", to: "nobody", text: "two" },
    ],
  });
  expect([accepted, refused]).toEqual([1, 1]);
  expect(await client.balance()).toMatchObject({ currency: "USD" });
  expect(await client.wallet.proof()).toMatchObject({ matches: true });
  await expect(client.messages.get("msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C")).rejects.toBeInstanceOf(
    NotFoundError,
  );
});

test("lists over cursors, changes with an ETag, and text in place of JSON", async () => {
  const client = clientOf();
  const made = [];
  for (const name of ["Ada", "Grace", "Edsger"])
    made.push(await client.contacts.create({ name, tags: ["paged"] }));
  const minLogPosition = answerInfo(made[2]!)!.logPosition!;
  const names = [];
  for await (const { name } of client.contacts.list({ tag: "paged", limit: 1 }, { minLogPosition }))
    names.push(name);
  expect(new Set(names)).toEqual(new Set(["Ada", "Edsger", "Grace"]));
  expect(names.length).toBe(3);
  const read = await client.contacts.get(made[0]!.id);
  const ifMatch = answerInfo(read)!.etag!;
  await client.contacts.update(made[0]!.id, { name: "Ada L." }, { ifMatch });
  await expect(
    client.contacts.update(made[0]!.id, { name: "x" }, { ifMatch }),
  ).rejects.toMatchObject({
    name: "PreconditionFailedError",
    code: "precondition_failed",
  });
  expect(await client.contacts.export({ format: "csv" })).toContain("Grace");
  expect(await client.usage.list({ format: "csv" })).toContain("accepted");
});

test("a partner has one preview of a broadcast at a time, whichever process makes it, and the next one however it ended", async () => {
  const { pool } = world.platform.contexts.sandbox;
  const partner = world.partners[0]!.id;
  const client = clientOf();
  const draft = await client.broadcasts.create({ audience: {}, channel: "sms", text: "Hi." });
  const asked = () => client.broadcasts.preview(draft.id);
  const { promise, reject } = Promise.withResolvers<void>();
  const elsewhere = alone(pool, partner, () => promise);
  await expect.poll(async () => (await running(partner)).length).toBe(1);
  await expect(alone(pool, partner, async () => "second")).rejects.toMatchObject({
    code: "rate_limited",
    retryAfterSeconds: 1,
  });
  expect(await alone(pool, world.partners[0]!.key, async () => "another's")).toBe("another's");
  // Whoever was killed while it made one shows itself no more.
  await pool.query("update broadcast_previews.running set until = now() - interval '1 second'");
  await asked();
  reject(new Error("broke"));
  await expect(elsewhere).rejects.toThrow("broke");
  expect(await running(partner)).toEqual([]);
});

test("the feed from its beginning, and from now", async () => {
  const client = clientOf();
  const types: string[] = [];
  for await (const event of client.events.follow()) {
    types.push(event.type);
    if (isEvent(event, "message.delivered") && event.data.channel === "whatsapp") break;
  }
  expect(types).toContain("message.queued");
  const after = await client.events.head();
  await client.contacts.create({ name: "Barbara" });
  for await (const event of client.events.follow({ after })) {
    expect(event.sequence).toBeGreaterThan(after);
    if (event.type === "contact.created") break;
  }
});

test("the program sends, triggers and tails, and says what is wrong", async () => {
  const message = ["--channel", "sms", "--to", "+15551230001"];
  expect(await cli(["send", ...message, "--text", "hello"])).toMatchObject({
    code: 0,
    printed: expect.stringMatching(/^msg_\w+ {2}queued$/),
  });
  const refused = await cli(["send", ...message, "--template", "none"]);
  expect(refused.code).toBe(1);
  expect(refused.said).toMatch(/^template_not_found \(422\): [^]*request req_/);
  expect((await cli(["send", ...message, "--nonsense"])).code).toBe(2);
  expect((await cli(["send", "--channel", "sms"])).said).toContain("send needs --channel and --to");
  expect((await cli(["tail", "--limit", "1", "--after", "0"])).printed).toContain("message.queued");
  const gone = await cli(["send", ...message, "--text", "x"], {
    env: { HELIOGRAPH_URL: "http://127.0.0.1:9" },
  });
  expect(gone.code).toBe(3);
  expect(gone.said).toMatch(/Repeat it with --idempotency-key [\w-]{36},/);
});

test("every event that can be triggered comes", async () => {
  const agent = { name: "Ada", email: "ada@example.com", role: "agent" } as const;
  await clientOf().agents.create({ ...agent, password: "correct horse battery" });
  const { printed } = await cli(["trigger", "--list"]);
  const types = printed.split("\n");
  const all: Awaited<ReturnType<typeof cli>>[] = [];
  // A partner has 20 streams at most, and some need two.
  for (let from = 0; from < types.length; from += 8)
    all.push(
      ...(await Promise.all(
        types.slice(from, from + 8).map((type) => cli(["trigger", type, "--json"])),
      )),
    );
  expect(all.filter(({ code }) => code !== 0)).toEqual([]);
  expect(all.map((one) => JSON.parse(one.printed).type)).toEqual(types);
  expect((await cli(["trigger", "key.expiring"])).said).toContain("comes by itself only");
  expect((await cli(["trigger", "no.type"])).code).toBe(2);
});

test("keys come from the environment or a file that only their owner can read", async () => {
  const { key } = world.partners[0]!;
  const none = { env: { HELIOGRAPH_KEY: undefined } };
  expect((await cli(["tail", "--after", "0"], none)).said).toContain("There is no key");
  const argued = await cli(["tail", `--key=${key}`]);
  expect(argued.code).toBe(2);
  expect(argued.said).toContain("does not belong on the command line");
  expect(argued.said).not.toContain(key);
  const kept = await cli(["configure", "--url", `http://127.0.0.1:${world.port}`], {
    input: `${key}\n`,
  });
  const file = join(folder, "heliograph/config.json");
  expect(kept.printed).toBe(`Kept in ${file}`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const read = ["tail", "--after", "0", "--limit", "1", "--json"];
  expect((await cli(read, none)).code).toBe(0);
  chmodSync(file, 0o644);
  expect((await cli(read, none)).said).toContain("can be read by others. Run: chmod 600");
  chmodSync(file, 0o600);
  writeFileSync(file, `{ "key": "${key}`);
  const broken = await cli(read, none);
  expect(broken.said).toContain("is no JSON");
  expect(broken.said).not.toContain(key);
  writeFileSync(file, "null");
  expect((await cli(read, none)).said).toContain("is no JSON of ours");
  rmSync(file);
  const live = { env: { HELIOGRAPH_KEY: "ak_live_x" } };
  expect(
    (await cli(["send", "--channel", "sms", "--to", "+1", "--text", "x"], live)).said,
  ).toContain("--live");
  expect((await cli(["listen", "--forward", "3000"], live)).said).toContain("a key of the sandbox");
});

test("listen forwards what happens, signed, in order, over a receiver that is away", async () => {
  const sink = await webhookSink();
  const stop = new AbortController();
  let ready = 0;
  let secret = "";
  const listening = cli(["listen", "--forward", `${new URL(sink.url).port}/hooks`], {
    signal: stop.signal,
    onSay: (line) => {
      if (line.startsWith("Ready")) ready += 1;
      secret ||= /whsec_\S+/.exec(line)?.[0] ?? "";
    },
  });
  await expect.poll(() => ready, { timeout: 20_000 }).toBe(1);
  const client = clientOf();
  const first = await client.contacts.create({ name: "first" });
  await expect.poll(() => sink.requests.length, { timeout: 20_000 }).toBe(1);
  sink.queue({ type: "reset" });
  const second = await client.contacts.create({ name: "second" });
  const bodies = () => sink.requests.map(({ body }) => JSON.parse(body).data.contact_id as string);
  await expect.poll(bodies, { timeout: 20_000 }).toEqual([first.id, second.id, second.id]);
  for (const { body, headers, path } of sink.requests)
    expect([path, verifyWebhook(body, headers, secret).type]).toEqual([
      "/hooks",
      "contact.created",
    ]);
  stop.abort();
  const { code, printed } = await listening;
  expect(code).toBe(0);
  expect(printed).toMatch(/contact\.created {2}evt_\w+ {2}-> {2}200/);
  await sink.close();
});

test("listen is ready once the platform is there, and loses nothing while that is away", async () => {
  const platform = await tcpProxy({ host: "127.0.0.1", port: world.port });
  await platform.cut();
  const sink = await webhookSink();
  const stop = new AbortController();
  const said: string[] = [];
  const listening = cli(["listen", "--forward", sink.url], {
    signal: stop.signal,
    env: { HELIOGRAPH_URL: `http://127.0.0.1:${platform.config.port}` },
    onSay: (line) =>
      said.push(/^(Ready|Disconnected|The platform does not answer)/.exec(line)?.[0] ?? ""),
  });
  const hears = (line: string, times = 1) =>
    expect
      .poll(() => said.filter((each) => each === line).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(times);
  await hears("The platform does not answer");
  expect(said).not.toContain("Ready");
  await platform.mend();
  await hears("Ready");
  const client = clientOf();
  const made = [(await client.contacts.create({ name: "there" })).id];
  const ids = () => sink.requests.map(({ body }) => JSON.parse(body).data.contact_id as string);
  await expect.poll(ids, { timeout: 20_000 }).toEqual(made);
  await platform.cut();
  await hears("Disconnected");
  for (const name of ["away", "still away"]) made.push((await client.contacts.create({ name })).id);
  await platform.mend();
  await hears("Ready", 2);
  await expect.poll(ids, { timeout: 20_000 }).toEqual(made);
  stop.abort();
  expect((await listening).code).toBe(0);
  await Promise.all([sink.close(), platform.close()]);
});

test("listen goes on where a consumer of its name was, with what came while it was away", async () => {
  const sink = await webhookSink();
  const client = clientOf();
  const ids = () => sink.requests.map(({ body }) => JSON.parse(body).data.contact_id as string);
  const listening = () => {
    const stop = new AbortController();
    let isReady = false;
    const ended = cli(["listen", "--forward", sink.url, "--consumer", "Ada.laptop"], {
      signal: stop.signal,
      onSay: (line) => (isReady ||= line.startsWith("Ready")),
    });
    return { isReady: () => isReady, end: () => (stop.abort(), ended) };
  };
  const one = listening();
  await expect.poll(one.isReady, { timeout: 20_000 }).toBe(true);
  const first = await client.contacts.create({ name: "first" });
  await expect.poll(ids, { timeout: 20_000 }).toEqual([first.id]);
  const place = async () => (await client.eventConsumers.get("Ada.laptop")).sequence;
  const { sequence } = JSON.parse(sink.requests[0]!.body);
  await expect.poll(place, { timeout: 20_000 }).toBe(sequence);
  expect(await one.end()).toMatchObject({ code: 0 });
  const second = await client.contacts.create({ name: "second" });
  const two = listening();
  await expect.poll(ids, { timeout: 20_000 }).toEqual([first.id, second.id]);
  expect(await two.end()).toMatchObject({ code: 0 });
  // What the receiver does not take is tried again, and is the first of the next time after Ctrl-C.
  const kept = await place();
  const third = await client.contacts.create({ name: "third" });
  sink.queue({ type: "reset" }, { type: "answer", status: 500 });
  const three = listening();
  await expect.poll(ids, { timeout: 20_000 }).toHaveLength(4);
  const fourth = await client.contacts.create({ name: "fourth" });
  const stopped = await three.end();
  expect(stopped).toMatchObject({
    code: 0,
    printed: "",
    said: expect.stringMatching(/ was not taken \(no answer\); again in 1 s/),
  });
  expect(await place()).toBe(kept);
  sink.queue({ type: "answer", status: 400 });
  const four = listening();
  await expect.poll(ids, { timeout: 20_000 }).toHaveLength(7);
  expect(ids().slice(2)).toEqual([...Array(4).fill(third.id), fourth.id]);
  expect((await four.end()).printed).toMatch(/contact\.created {2}evt_\w+ {2}-> {2}200/);
  const both = ["listen", "--forward", "3000", "--consumer", "x", "--after", "0"];
  expect(await cli(both)).toMatchObject({
    code: 2,
    said: expect.stringContaining("leave out --after"),
  });
  await sink.close();
});

const hasMypy = python !== undefined && spawnSync(python, ["-m", "mypy", "--version"]).status === 0;
if (!hasMypy)
  process.stdout.write(
    "skipped: the types of the client for Python, without mypy: .cache/py/bin/pip install mypy\n",
  );
test.skipIf(!hasMypy)("a strict checker takes the types of the client for Python", async () => {
  const args = ["-m", "mypy", "--strict", "--cache-dir", join(folder, "mypy"), "heliograph"];
  const { stdout } = await promisify(execFile)(python!, args, {
    cwd: join(root, "clients/python"),
  }).catch((error: { stdout: string }) => error);
  expect(stdout).toMatch(/^Success: no issues found in \d+ source files/);
});

test.skipIf(python === undefined)(
  "the client for Python, and the contract's examples with it",
  async () => {
    const key = await world.addKey(world.partners[0]!.id);
    const args = ["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"];
    const { stdout } = await promisify(execFile)(python!, args, {
      cwd: join(root, "clients/python"),
      env: {
        ...process.env,
        HELIOGRAPH_KEY: key,
        HELIOGRAPH_URL: `http://127.0.0.1:${world.port}`,
      },
    }).catch((error: { stdout: string }) => error);
    expect(stdout).toMatch(/\b\d+ passed in /);
    expect(stdout).not.toContain("failed");
  },
);
