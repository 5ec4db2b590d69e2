import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId, newSecret } from "@heliograph/contracts";
import { freePort, spawnProgram, type SpawnedService } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { sign, signingKey } from "../src/sign.ts";

const fileOf = (name: string): string =>
  new URL(`../../../docs/examples/${name}`, import.meta.url).pathname;

/** Whether a program of the machine says of itself what is wanted. */
function has(name: string, program: string, args: readonly string[], wanted: RegExp): boolean {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  const found = wanted.test(`${stdout ?? ""}${stderr ?? ""}`);
  if (!found)
    process.stdout.write(`skipped: the receiver in ${name}, which is not on this machine\n`);
  return found;
}

let running: SpawnedService | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const event = (sequence: number, data: object): string =>
  JSON.stringify({ id: newId("evt"), type: "message.sent", sequence, data });

/** What an example must do, whatever it is written in. */
async function expectReceiver(
  program: string,
  args: readonly string[],
  { env = {}, ready = /ready on port (\d+)/ }: { env?: object; ready?: RegExp } = {},
): Promise<void> {
  const secret = newSecret();
  running = spawnProgram(program, args, { SECRET: secret, PORT: "0", ...env });
  const [, port] = await running.outputMatching(ready);
  const now = Math.floor(Date.now() / 1000);
  const post = async (
    body: string,
    { by = [secret], at = now, id = newId("evt"), sent = body } = {},
  ): Promise<number> => {
    const keys = by.map((text) => signingKey(text));
    const { status } = await fetch(`http://127.0.0.1:${port}/hooks`, {
      method: "POST",
      body: sent,
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(at),
        "webhook-signature": sign(keys, id, at, body),
      },
    });
    return status;
  };

  const first = event(1, { to: "Grüße 😀" });
  const id = newId("evt");
  expect(await post(first, { id }), "a genuine event").toBe(204);
  expect(await post(first, { id, at: now + 1 }), "its repetition").toBe(204);
  expect(await post(event(2, {}), { by: [newSecret(), secret] }), "in a rotation").toBe(204);

  expect(await post(event(7, {}), { by: [newSecret()] }), "another secret").toBe(401);
  expect(await post(event(7, {}), { sent: event(8, {}) }), "another body").toBe(401);
  expect(await post(event(7, {}), { at: now - 600 }), "an old one").toBe(401);
  expect(await post(event(7, {}), { at: now + 600 }), "one of the future").toBe(401);
  const bytes = event(7, { to: "+1" });
  const changed = bytes.replace("+1", "+2");
  expect(await post(bytes, { sent: changed }), "one byte changed").toBe(401);
  expect(await post(event(7, {}), { by: [newSecret(), newSecret()] }), "two others").toBe(401);
  const bare = await fetch(`http://127.0.0.1:${port}/hooks`, { method: "POST", body: first });
  expect(bare.status, "nothing signed").toBe(401);

  expect(await post("x".repeat(2 ** 20 + 1)), "too much").toBe(413);

  const broken = newId("evt");
  expect(await post("{", { id: broken }), "what cannot be handled").toBe(500);
  expect(await post(event(3, {}), { id: broken }), "and comes again").toBe(204);

  const batch = `{"events":[${event(4, { text: '"}]{' })},${first},${event(5, {})}]}`;
  expect(await post(batch), "a batch, with one that is known").toBe(204);
  expect(await post(batch), "the same events in another request").toBe(204);
  expect(await post('{"events":[]}'), "of nothing").toBe(204);
  expect(await post('{"events":[{]}'), "that cannot be handled").toBe(500);
  const whole = `{"events":[${event(6, {})},${event(7, {})}]}`;
  const forged = whole.replace('"sequence":7', '"sequence":8');
  expect(await post(whole, { sent: forged }), "with one event changed").toBe(401);
  const retried = newId("evt");
  expect(
    await post(whole.replace(/\{"id"[^}]*"sequence":7/, "{"), { id: retried }),
    "that breaks in its middle",
  ).toBe(500);
  expect(
    await post(whole, { id: retried, by: [newSecret(), secret] }),
    "and comes again whole",
  ).toBe(204);

  await running.stop();
  const printed = running
    .output()
    .split("\n")
    .filter((line) => line.startsWith("message."));
  expect(printed).toEqual([
    'message.sent 1 {"to":"Grüße 😀"}',
    "message.sent 2 {}",
    "message.sent 3 {}",
    'message.sent 4 {"text":"\\"}]{"}',
    "message.sent 5 {}",
    "message.sent 6 {}",
    "message.sent 7 {}",
  ]);
}

test("the Node receiver takes what is genuine, once", async () => {
  await expectReceiver(process.execPath, [fileOf("receiver.mjs")]);
  expect((await running!.exited).signal).toBeNull();
});

const python = ["-c", "import sys; print(sys.version_info >= (3, 9))"];
test.skipIf(!has("Python 3.9", "python3", python, /True/))(
  "the Python receiver takes what is genuine, once",
  async () => {
    await expectReceiver("python3", [fileOf("receiver.py")]);
    expect((await running!.exited).signal).toBeNull();
  },
);

test.skipIf(!has("Java 17", "javac", ["-version"], /javac (1[7-9]|[2-9]\d)/))(
  "the Java receiver takes what is genuine, once",
  () => expectReceiver("java", ["-XX:TieredStopAtLevel=1", fileOf("java/Receiver.java")]),
);

test.skipIf(!has("PHP 8", "php", ["--version"], /PHP [89]/))(
  "the PHP receiver takes what is genuine, once",
  async () => {
    const seen = mkdtempSync(join(tmpdir(), "heliograph-php-"));
    const port = await freePort();
    const args = ["-d", "display_errors=stderr", "-S", `127.0.0.1:${port}`, fileOf("receiver.php")];
    try {
      await expectReceiver("php", args, {
        env: { SEEN: seen },
        ready: /127\.0\.0\.1:(\d+)\) started/,
      });
    } finally {
      rmSync(seen, { recursive: true });
    }
  },
);

// Building Go's library for the first time takes half a minute, and a second from then on: only where that has been paid.
const goIsWarm = process.env["TEST_GO"] === "on";
if (!goIsWarm) process.stdout.write("skipped: the receiver in Go, without TEST_GO=on\n");
test.skipIf(!goIsWarm || !has("Go", "go", ["version"], /go1\./))(
  "the Go receiver takes what is genuine, once",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "heliograph-go-"));
    const built = join(folder, "receiver");
    try {
      const made = spawnSync("go", ["build", "-o", built, fileOf("receiver.go")], {
        encoding: "utf8",
      });
      expect(made.stderr).toBe("");
      await expectReceiver(built, []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  180_000,
);
