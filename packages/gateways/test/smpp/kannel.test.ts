import {
  programMissing,
  smscDouble,
  startKannel,
  type Submitted,
  until,
  webhookSink,
} from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createSmppGateway } from "../../src/smpp/gateway.ts";
import { SmppSettings } from "../../src/smpp/settings.ts";
import { attemptOf, configOf, toolsOf } from "../support.ts";

const missing = programMissing("kannel");
if (missing !== undefined) process.stdout.write(`skipped: ${missing}\n`);

const account = { systemId: "kannel", password: "secret" };
const [from, to] = ["Shop", "+15551234567"];
const throttled = 0x58;

/** What a phone is given of a submit, without the reference that the parts of one message share. */
const bodyOf = ({ source, destination, esmClass, coding, message }: Submitted) => {
  const isPart = (esmClass & 0x40) !== 0;
  const body = message.toString("hex");
  return {
    source,
    destination: destination.address,
    coding,
    body: isPart ? `${body.slice(0, 6)}..${body.slice(8)}` : body,
  };
};

/** The same texts by our gateway to a centre of its own. */
async function ours(texts: readonly string[]): Promise<readonly object[]> {
  const centre = await smscDouble(account);
  const gateway = createSmppGateway({
    config: configOf({ kind: "smpp", environment: "live" }),
    settings: SmppSettings.parse({ host: "127.0.0.1", port: centre.port, system_id: "kannel" }),
    secrets: { password: account.password },
    tools: toolsOf(),
  });
  try {
    for (const text of texts) {
      const attempt = attemptOf(to, { from, content: { text } });
      expect((await gateway.send(attempt, new AbortController().signal)).type).toBe("accepted");
    }
    return centre.submits.map(bodyOf);
  } finally {
    await gateway.close();
    await centre.close();
  }
}

test.skipIf(missing !== undefined)(
  "Kannel submits what our gateway does, waits where it is throttled, and is told of receipts and of what people write",
  async () => {
    const centre = await smscDouble(account);
    const sink = await webhookSink();
    // Nothing is sent back to who writes.
    sink.behave(() => ({ type: "answer", status: 200, body: "" }));
    const kannel = await startKannel({ port: centre.port, ...account, window: 10 }, sink.url);
    try {
      centre.behave((_, index) =>
        index === 0 ? { type: "refuse", status: throttled } : { type: "accept" },
      );
      const texts = ["Hello", "Price: 5 € [net]", "я".repeat(71), "a".repeat(200)];
      for (const [index, text] of texts.entries()) {
        const coding = text.startsWith("я") ? 2 : 0;
        await kannel.send({ from, to, text, coding, reportTo: `${sink.url}/told` });
        const least = [2, 3, 5, 7][index]!;
        await until(() => centre.submits.length >= least, { timeoutMs: 30_000 });
      }
      const [refused, ...taken] = centre.submits;
      expect(refused).toMatchObject({ taken: false });
      expect(taken.map(bodyOf)).toEqual(await ours(texts));

      const stamp = "2605231422";
      const receipt = `id:1 sub:001 dlvrd:001 submit date:${stamp} done date:${stamp} stat:DELIVRD err:000 text:Hello`;
      const message = Buffer.from(receipt);
      expect(await centre.deliver({ from: to.slice(1), to: from, esmClass: 4, message })).toBe(0);
      await until(() => sink.requests.some(({ path }) => path.startsWith("/told")));

      const written = { from: to.slice(1), to: "12345", coding: 8 };
      const half = (number: number, text: string): Buffer =>
        Buffer.concat([
          Buffer.from([5, 0, 3, 9, 2, number]),
          Buffer.from(text, "utf16le").swap16(),
        ]);
      for (const [number, text] of [
        [2, "信"],
        [1, "短"],
      ] as const)
        await centre.deliver({ ...written, esmClass: 0x40, message: half(number, text) });
      const found = await until(() =>
        sink.requests.find(({ path }) => path.includes("from=%2B15551234567")),
      );
      // One text of both halves, in the octets that they came in.
      expect(found.path).toContain("text=w%EDO%E1");
    } finally {
      await kannel.close();
      await centre.close();
      await sink.close();
    }
  },
  120_000,
);
