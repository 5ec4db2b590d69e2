import { connect } from "node:net";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type SmtpSink, smtpSink } from "../src/index.ts";

let sink: SmtpSink;
beforeEach(async () => void (sink = await smtpSink()));
afterEach(() => sink.close());

/** Speaks the lines one by one and gives the code of each reply; "closed" when the server hung up instead. */
async function speak(lines: readonly string[]): Promise<string[]> {
  const socket = connect(sink.port, sink.host);
  socket.on("error", () => {});
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  const codes: string[] = [];
  for (const line of ["", ...lines]) {
    if (line) socket.write(`${line}\r\n`);
    let reply = await replies.next();
    while (!reply.done && reply.value[3] === "-") reply = await replies.next();
    codes.push(reply.done ? "closed" : reply.value.slice(0, 3));
    if (reply.done) break;
  }
  socket.destroy();
  return codes;
}

const message = (to: string) => [
  "EHLO test",
  "MAIL FROM:<bounce@example.com>",
  `RCPT TO:<${to}>`,
  "DATA",
  "Subject: hello\r\n\r\nbody\r\n..dot\r\n.",
];

test("a message is journaled as it was sent", async () => {
  expect(await speak(message("ann@example.com"))).toEqual([
    "220",
    "250",
    "250",
    "250",
    "354",
    "250",
  ]);
  expect(sink.messages).toMatchObject([
    {
      from: "bounce@example.com",
      to: ["ann@example.com"],
      raw: "Subject: hello\r\n\r\nbody\r\n.dot\r\n",
    },
  ]);
});

test("recipients are refused for good or for now, all or those chosen", async () => {
  sink.behave({ type: "reject-recipient", code: 550, which: (to) => to.startsWith("gone@") });
  expect((await speak(message("gone@example.com")))[3]).toBe("550");
  expect((await speak(message("ann@example.com"))).at(-1)).toBe("250");
  sink.behave({ type: "reject-recipient", code: 451 });
  expect((await speak(message("ann@example.com")))[3]).toBe("451");
});

test("a message can be refused after its data, and then is not in the journal", async () => {
  sink.behave({ type: "reject-data", code: 554 });
  expect((await speak(message("ann@example.com"))).at(-1)).toBe("554");
  expect(sink.messages).toEqual([]);
});

test("a message whose reply is lost is in the journal all the same", async () => {
  sink.behave({ type: "close-before-reply" });
  expect((await speak(message("ann@example.com"))).at(-1)).toBe("closed");
  expect(sink.messages).toHaveLength(1);
});

test("a slow server answers after its delay, a busy one with 421", async () => {
  sink.behave({ type: "accept", delayMs: 150 });
  const before = performance.now();
  expect((await speak(message("ann@example.com"))).at(-1)).toBe("250");
  expect(performance.now() - before).toBeGreaterThan(149);
  sink.behave({ type: "busy" });
  expect(await speak([])).toEqual(["421"]);
});
