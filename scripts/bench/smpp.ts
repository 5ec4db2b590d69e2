import { fork } from "node:child_process";
import { once, setMaxListeners } from "node:events";
import { connect } from "node:net";
import { deterministicId } from "@heliograph/contracts";
import { configured, createGateway, type Attempt } from "@heliograph/gateways";
import { stopChild } from "./instance.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";
import { jasminSubmits } from "./smpp-jasmin.ts";
import { kannelSubmits } from "./smpp-kannel.ts";
import type { Seen } from "./smpp-seen.ts";

const submits = 100_000;
const warmUp = 20_000;
const window = 50;
const text = "Your order TR-204821 is on its way. It should be with you by Friday.";

/**
 * Submits through the gateway of kind smpp, on one bind and on four, and beside it in the same run a loop that writes ready PDUs to the same message centre. Each has the same window;
 * the centre is a process of its own and does next to nothing, so what is measured is the sender. Kannel and Jasmin have rows where they are installed.
 */
export async function benchSmpp(): Promise<Row[]> {
  const centre = fork(new URL("smpp-centre.ts", import.meta.url));
  const [{ port }] = (await once(centre, "message")) as [{ port: number }];
  try {
    const rows: Row[] = [];
    for (const binds of [1, 4]) {
      const ours = await measured((count) => throughGateway(port, binds, count));
      const bare = await measured((count) => bareLoop(port, binds, count));
      const on = binds === 1 ? "one bind" : `${binds} binds`;
      rows.push(
        {
          ...ratioRow(
            `smpp: submits on ${on}`,
            "/s",
            ours.perSecond,
            { value: bare.perSecond, of: "a bare loop" },
            0,
          ),
          goal: "",
          note: `a window of ${window} each; answered ones count`,
        },
        limitRow(
          `smpp: CPU per submit on ${on}`,
          "ms",
          round(ours.cpuMs),
          undefined,
          `the bare loop: ${round(bare.cpuMs)} ms`,
        ),
        ...(binds === 1 ? await besideOthers(ours) : []),
      );
    }
    return rows;
  } finally {
    await stopChild(centre);
  }
}

async function besideOthers(ours: Seen): Promise<readonly Row[]> {
  const [kannel, jasmin] = [await kannelSubmits(window, text), await jasminSubmits(text)];
  return [
    ...besideOne("Kannel", ours, kannel, `a window of ${window} each; from its queue in memory`),
    ...besideOne("Jasmin", ours, jasmin, "from its queue in RabbitMQ, as many at once as it takes"),
  ];
}

function besideOne(of: string, ours: Seen, theirs: Seen | undefined, how: string): readonly Row[] {
  if (theirs === undefined) return [];
  const name = `smpp: submits on one bind beside ${of}`;
  const baseline = { value: theirs.perSecond, of };
  return [
    {
      ...ratioRow(name, "/s", ours.perSecond, baseline, 0),
      goal: "",
      note: `${how}, ${round(theirs.cpuMs)} ms of the processors each`,
    },
  ];
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;

async function measured(run: (count: number) => Promise<void>): Promise<Seen> {
  await run(warmUp);
  const before = process.cpuUsage();
  const start = performance.now();
  await run(submits);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - start) / 1_000;
  return { perSecond: submits / seconds, cpuMs: (user + system) / 1_000 / submits };
}

async function throughGateway(port: number, binds: number, count: number): Promise<void> {
  const masterKey = Buffer.alloc(32, 7);
  const config = configured(
    {
      gateway_id: deterministicId("gtw", "bench"),
      environment: "live",
      name: "bench",
      channel: "sms",
      kind: "smpp",
      enabled: true,
      weight: 1,
      max_concurrent: window * binds,
      timeout_ms: 30_000,
      on_uncertain: "at_most_once",
      settings: { host: "127.0.0.1", port, system_id: "bench", binds, window },
    },
    { password: "bench" },
    masterKey,
  );
  const gateway = createGateway("live", config, {
    logger: { info: () => undefined },
    masterKey,
    declaring: { smtpUrls: [], logGatewayChannels: [] },
    onReceipt: async () => undefined,
    origin: "",
  });
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const result = await gateway.send(attemptOf(n), signal);
      if (result.type !== "accepted") throw new Error(`a submit was ${result.type}`);
    }
  };
  await Promise.all(Array.from({ length: window * binds }, lane));
  await gateway.close();
}

const attemptOf = (n: number): Attempt => ({
  attemptId: `atp_${n}`,
  messageId: `msg_${n}`,
  attempt: 1,
  channel: "sms",
  to: `+1555${String(1_000_000 + (n % 1_000_000))}`,
  from: "Shop",
  content: { text },
  partner: "ptn_bench",
});

/** Writes one PDU, which was made before, again and again with the next number; one for each answer that comes. */
async function bareLoop(port: number, binds: number, count: number): Promise<void> {
  const share = Math.ceil(count / binds);
  await Promise.all(Array.from({ length: binds }, () => bareConnection(port, share)));
}

async function bareConnection(port: number, count: number): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.setNoDelay(true);
  await once(socket, "connect");
  const ready = readySubmit();
  let sent = 0;
  let answered = 0;
  const write = (most: number): void => {
    const some: Buffer[] = [];
    for (let n = 0; n < most && sent < count; n++) {
      const pdu = Buffer.from(ready);
      pdu.writeUInt32BE(++sent, 12);
      some.push(pdu);
    }
    if (some.length > 0) socket.write(Buffer.concat(some));
  };
  let rest: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let came = 0;
      while (rest.length >= 16 && rest.length >= rest.readUInt32BE(0)) {
        rest = rest.subarray(rest.readUInt32BE(0));
        came++;
      }
      answered += came;
      if (answered === count) return resolve();
      write(came);
    });
    write(window);
  });
  socket.destroy();
}

/** The submit of the same text from the same sender, octet by octet. */
function readySubmit(): Buffer {
  const body = Buffer.concat([
    Buffer.from("\0\x05\0Shop\0\x01\x0115551000000\0\0\0\0\0\0\x01\0\0\0", "latin1"),
    Buffer.from([text.length]),
    Buffer.from(text, "latin1"),
    Buffer.from([0x02, 0x04, 0, 2, 0, 1]),
  ]);
  const head = Buffer.alloc(16);
  head.writeUInt32BE(16 + body.length, 0);
  head.writeUInt32BE(0x4, 4);
  return Buffer.concat([head, body]);
}
