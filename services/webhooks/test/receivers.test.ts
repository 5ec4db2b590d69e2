import { execFileSync } from "node:child_process";
import { newId, newSecret } from "@heliograph/contracts";
import { spawnProgram, type SpawnedService } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { sign, signingKey } from "../src/sign.ts";

const fileOf = (name: string): string =>
  new URL(`../../../docs/examples/${name}`, import.meta.url).pathname;

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-c", "import sys; assert sys.version_info >= (3, 9)"]);
    return true;
  } catch {
    process.stdout.write("skipped: the Python receiver, for want of Python 3.9 or later\n");
    return false;
  }
}

let running: SpawnedService | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const event = (sequence: number, data: object): string =>
  JSON.stringify({ id: newId("evt"), type: "message.sent", sequence, data });

/** What an example must do, whatever it is written in. */
async function expectReceiver(program: string, file: string): Promise<void> {
  const secret = newSecret();
  running = spawnProgram(program, [fileOf(file)], { SECRET: secret, PORT: "0" });
  const [, port] = await running.outputMatching(/ready on port (\d+)/);
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
  const bare = await fetch(`http://127.0.0.1:${port}/hooks`, { method: "POST", body: first });
  expect(bare.status, "nothing signed").toBe(401);

  expect(await post("x".repeat(2 ** 20 + 1)), "too much").toBe(413);

  const broken = newId("evt");
  expect(await post("{", { id: broken }), "what cannot be handled").toBe(500);
  expect(await post(event(3, {}), { id: broken }), "and comes again").toBe(204);

  const exit = await running.stop();
  expect(exit.signal).toBeNull();
  const printed = running
    .output()
    .split("\n")
    .filter((line) => line.startsWith("message."));
  expect(printed).toEqual([
    'message.sent 1 {"to":"Grüße 😀"}',
    "message.sent 2 {}",
    "message.sent 3 {}",
  ]);
}

test("the Node receiver takes what is genuine, once", () =>
  expectReceiver(process.execPath, "receiver.mjs"));

test.skipIf(!hasPython())("the Python receiver takes what is genuine, once", () =>
  expectReceiver("python3", "receiver.py"),
);
