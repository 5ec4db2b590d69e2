import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { send, signIn, startBare, type Measured } from "./console-parts.ts";
import { ownCpuMs } from "./cpu.ts";
import { stopChild } from "./instance.ts";
import { limitRow, type Row } from "./row.ts";

const sessions = 100;
const tabsOfSession = 5;
const settleMs = 5_000;
const deadlineMs = 30_000;

type Stream = { readonly has: (word: string) => Promise<void>; close(): void };

/** A tab's stream: once it is open, what comes is looked through for words. */
function open(url: string, cookie: string, agent: Agent): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { cookie }, agent }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`a stream: ${answer.statusCode}`));
      let text = "";
      let heard = (): void => undefined;
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        heard();
      });
      answer.on("error", () => undefined);
      const has = (word: string): Promise<void> =>
        new Promise((found, late) => {
          const timer = setTimeout(() => late(new Error(`${word} never came`)), deadlineMs);
          heard = () => {
            if (!text.includes(word)) return;
            clearTimeout(timer);
            found();
          };
          heard();
        });
      resolve({ has, close: () => request.destroy() });
    });
    request.on("error", reject);
  });
}

type Told = { readonly lastMs: number; readonly cpuMs: number };

/** What telling the tabs takes, and how long it is from something that happens to the last of them. */
async function tell(
  { pid, url }: { readonly pid: number; readonly url: string },
  cookies: readonly string[],
  happen: () => Promise<string>,
): Promise<Told> {
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  const tabs: Stream[] = [];
  try {
    for (const cookie of cookies)
      for (let tab = 0; tab < tabsOfSession; tab++) tabs.push(await open(url, cookie, agent));
    await sleep(settleMs);
    const [cpu, start] = [ownCpuMs(pid), performance.now()];
    const word = await happen();
    await Promise.all(tabs.map((tab) => tab.has(word)));
    const lastMs = performance.now() - start;
    return {
      lastMs: Math.round(lastMs),
      cpuMs: Math.round(ownCpuMs(pid) - cpu),
    };
  } finally {
    for (const tab of tabs) tab.close();
    agent.destroy();
  }
}

/** 500 tabs that show the list of messages, and as many sockets of a server that does nothing else. */
export async function benchTabs(measured: Measured): Promise<Row[]> {
  const { instance, console } = measured;
  const cookies: string[] = [];
  while (cookies.length < sessions) cookies.push(await signIn(measured));
  const query = new URLSearchParams({ page: "/console/messages", on: "message", world: "sandbox" });
  const live = { pid: console.pid, url: `${console.url}/console/live?${query.toString()}` };
  const own = await tell(live, cookies, () => send(instance, "to every tab"));
  const [bare, port] = await startBare("bare-events.ts");
  try {
    const theirs = await tell(
      { pid: bare.pid!, url: `http://127.0.0.1:${port}/` },
      cookies,
      async () => {
        bare.send("zebra");
        return "zebra";
      },
    );
    const what = `console, ${sessions * tabsOfSession} tabs of ${sessions} sessions`;
    const row = (name: string, unit: string, of: keyof Told, note: string): Row => ({
      ...limitRow(`${what}: ${name}`, unit, own[of], undefined, note),
      baseline: theirs[of],
      ratio: Math.round((own[of] / theirs[of]) * 10) / 10,
    });
    return [
      row(
        "from POST to the last tab",
        "ms",
        "lastMs",
        "bare node:http tells one line; here a message is sent, and a page is made again once a second at most",
      ),
      row("CPU of the console's process for that", "ms", "cpuMs", "bare node:http"),
    ];
  } finally {
    await stopChild(bare);
  }
}
