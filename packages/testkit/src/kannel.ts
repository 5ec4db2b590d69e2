import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** To a message centre: its port on this machine, and with what Kannel binds. */
type Centre = {
  readonly port: number;
  readonly systemId: string;
  readonly password: string;
  readonly window: number;
};
/** A message that Kannel is asked to send, and where it tells what became of it. */
type Sent = {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly coding?: 0 | 2;
  readonly reportTo?: string;
};

/** Kannel's clock of a process counts so many ticks in a second (Linux, `USER_HZ`). */
const ticksPerSecond = 100;

/** Kannel on 127.0.0.1 as a client of a message centre, by one transceiver. What people write is fetched from `inboxUrl`, which answers what is to be sent back. */
export async function startKannel(centre: Centre, inboxUrl = "http://127.0.0.1:9/") {
  const folder = await mkdtemp(join(tmpdir(), "kannel-"));
  const [admin, box, http] = [await freePort(), await freePort(), await freePort()];
  const file = join(folder, "kannel.conf");
  await writeFile(file, configuration(centre, { admin, box, http }, inboxUrl));
  const children: ChildProcess[] = [];
  const run = (program: string): ChildProcess => {
    const child = spawn(program, ["-v", "4", file], { stdio: "ignore", cwd: folder });
    children.push(child);
    return child;
  };
  const status = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${admin}/status.txt?password=test`);
    return answer.text();
  };
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const bearer = run("bearerbox");
    await until(async () => (await status()).includes("Kannel"), { timeoutMs: 30_000 });
    run("smsbox");
    await until(async () => /smsbox:/.test(await status()), { timeoutMs: 30_000 });
    return {
      status,
      /** Resolves once Kannel has it. */
      async send({ from, to, text, coding = 0, reportTo }: Sent): Promise<void> {
        const query = new URLSearchParams({
          username: "test",
          password: "test",
          from,
          to,
          text,
          coding: String(coding),
          charset: "utf-8",
          ...(reportTo !== undefined && { "dlr-mask": "31", "dlr-url": reportTo }),
        });
        const answer = await fetch(`http://127.0.0.1:${http}/cgi-bin/sendsms?${query.toString()}`);
        if (answer.status !== 202)
          throw new Error(`Kannel answers ${answer.status}: ${await answer.text()}`);
        await answer.text();
      },
      /** What the program that talks to the centre has used of the processors, ms. */
      async cpuMs(): Promise<number> {
        const stat = await readFile(`/proc/${bearer.pid}/stat`, "utf8");
        const [user, system] = stat.split(") ")[1]!.split(" ").slice(11, 13);
        return ((Number(user) + Number(system)) * 1_000) / ticksPerSecond;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const configuration = (
  { port, systemId, password, window }: Centre,
  ports: { readonly admin: number; readonly box: number; readonly http: number },
  inboxUrl: string,
): string => `group = core
admin-port = ${ports.admin}
admin-interface = 127.0.0.1
admin-password = test
admin-allow-ip = "127.0.0.1"
smsbox-port = ${ports.box}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal
sms-resend-freq = 1

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = ${port}
transceiver-mode = true
smsc-username = ${systemId}
smsc-password = ${password}
system-type = ""
max-pending-submits = ${window}
reconnect-delay = 1
source-addr-autodetect = true
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = ${ports.box}
sendsms-port = ${ports.http}
sendsms-interface = 127.0.0.1
global-sender = 12345

group = sendsms-user
username = test
password = test
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
get-url = "${inboxUrl}?from=%p&text=%a"
max-messages = 0
`;
