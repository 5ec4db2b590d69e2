import { fork } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@heliograph/testkit";
import { cpuMs } from "./cpu.ts";
import { stopChild } from "./instance.ts";
import { type Ends, isOpen, run, untilUp } from "./programs.ts";
import { rabbitIsMissing, startRabbit } from "./rabbit.ts";
import { redisIsMissing, startRedis } from "./redis.ts";
import { type Seen, seenAll } from "./smpp-seen.ts";

/** So many wait in its queue before there is a message centre: it takes some hundreds a second over HTTP. */
const submits = 4_000;
/** Calls of its HTTP interface at once. */
const lanes = 32;
const account = "bench";

/** The folder of the Python environment in which `pip install jasmin` was run. */
const folderOf = (): string => process.env["HELIOGRAPH_BENCH_JASMIN"] ?? "";
const programOf = (): string => join(folderOf(), "bin", "jasmind.py");

/** What is missing to run Jasmin, by the words that are printed; undefined where all is there. */
function jasminIsMissing(): string | undefined {
  if (!existsSync(programOf()))
    return "HELIOGRAPH_BENCH_JASMIN names no folder with Jasmin (`python3 -m venv FOLDER && FOLDER/bin/pip install jasmin`)";
  return rabbitIsMissing() ?? redisIsMissing();
}

/** Submits of Jasmin on one transceiver from its queue in RabbitMQ, and what they cost it and its servers; undefined, with the reason on the terminal, where it is not there. */
export async function jasminSubmits(text: string): Promise<Seen | undefined> {
  const missing = jasminIsMissing();
  if (missing !== undefined) {
    console.log(`skipped: ${missing}`);
    return undefined;
  }
  const ends: Ends = [];
  try {
    return await measure(ends, text);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

async function measure(ends: Ends, text: string): Promise<Seen> {
  const port = await freePort();
  const jasmin = await startJasmin(ends, port);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < submits; n = next++)
      await jasmin.send(`1555${String(1_000_000 + n)}`, text);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const before = jasmin.cpu();
  const centre = fork(new URL("smpp-centre.ts", import.meta.url), [String(port)]);
  ends.push(() => stopChild(centre));
  await once(centre, "message");
  const ms = await seenAll(centre, submits);
  return { perSecond: submits / (ms / 1_000), cpuMs: (jasmin.cpu() - before) / submits };
}

/** Jasmin as one process with RabbitMQ and Redis of its own, all on loopback, with a connector to a message centre that need not be there yet. */
async function startJasmin(ends: Ends, centre: number) {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-jasmin-"));
  ends.push(async () => rmSync(folder, { recursive: true, force: true }));
  const redis = await startRedis("everysec");
  ends.push(() => redis.stop());
  const rabbit = await startRabbit(ends, folder);
  const [http, console_, ...others] = await Promise.all(
    Array.from({ length: 5 }, () => freePort()),
  );
  for (const each of ["store", "log"]) mkdirSync(join(folder, each));
  cpSync(specification(), join(folder, "amqp0-9-1.xml"));
  writeFileSync(
    join(folder, "jasmin.cfg"),
    configuration({
      http: http!,
      console: console_!,
      others,
      rabbit: rabbit.port,
      redis: redis.port,
    }),
  );
  const env = {
    PATH: process.env["PATH"]!,
    ROOT_PATH: folder,
    CONFIG_PATH: folder,
    RESOURCE_PATH: folder,
    LOG_PATH: join(folder, "log"),
    HOME: folder,
  };
  const python = join(folderOf(), "bin", "python3");
  const child = run(ends, python, [programOf(), "-c", join(folder, "jasmin.cfg")], env);
  await untilUp("Jasmin", child, async () => (await isOpen(http!)) && (await isOpen(console_!)));
  await setUp(console_!, centre);
  return {
    cpu: () => cpuMs(child.pid!, rabbit.pid, redis.pid),
    /** Resolves once Jasmin has queued it. */
    async send(to: string, content: string): Promise<void> {
      const query = new URLSearchParams({
        username: account,
        password: account,
        from: "Shop",
        to,
        content,
      });
      const answer = await fetch(`http://127.0.0.1:${http}/send?${query.toString()}`);
      const said = await answer.text();
      if (!said.startsWith("Success")) throw new Error(`Jasmin answers ${answer.status}: ${said}`);
    },
  };
}

/** Of the protocol, as the library that Jasmin speaks it with has it. */
function specification(): string {
  const libraries = join(folderOf(), "lib");
  const found = readdirSync(libraries, { recursive: true, encoding: "utf8" }).find((file) =>
    file.endsWith("amqp0-9-1.stripped.xml"),
  );
  if (found === undefined) throw new Error(`no amqp0-9-1.stripped.xml is in ${libraries}`);
  return join(libraries, found);
}

type Ports = {
  readonly http: number;
  readonly console: number;
  readonly others: readonly number[];
  readonly rabbit: number;
  readonly redis: number;
};

const configuration = (ports: Ports): string => `[smpp-server]
bind = 127.0.0.1
port = ${ports.others[0]}
[amqp-broker]
port = ${ports.rabbit}
[redis-client]
port = ${ports.redis}
[http-api]
bind = 127.0.0.1
port = ${ports.http}
[jcli]
port = ${ports.console}
authentication = False
[router]
bind = 127.0.0.1
port = ${ports.others[1]}
[client-management]
bind = 127.0.0.1
port = ${ports.others[2]}
[service-smppclient]
log_level = WARNING
[sm-listener]
log_level = WARNING
`;

/** By its console, as its manual does: an account, a connector that is not throttled, and a route to it. */
async function setUp(port: number, centre: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  try {
    await heard(socket, "Session ref");
    const forms = [
      ["group -a", "gid bench", "ok"],
      ["user -a", `username ${account}`, `password ${account}`, "gid bench", "uid bench", "ok"],
      [
        "smppccm -a",
        "cid centre",
        "host 127.0.0.1",
        `port ${centre}`,
        `username ${account}`,
        `password ${account}`,
        "bind transceiver",
        "submit_throughput 0",
        "con_fail_delay 1",
        "ok",
      ],
      ["mtrouter -a", "type defaultroute", "connector smppc(centre)", "rate 0", "ok"],
      ["smppccm -1 centre"],
    ];
    for (const form of forms)
      for (const [index, line] of form.entries()) {
        socket.write(`${line}\r\n`);
        await heard(socket, index === form.length - 1 ? "jcli : " : "\n> ");
      }
  } finally {
    socket.destroy();
  }
}

async function heard(socket: Socket, prompt: string): Promise<void> {
  for (let text = ""; !text.includes(prompt);) text += String((await once(socket, "data"))[0]);
}
