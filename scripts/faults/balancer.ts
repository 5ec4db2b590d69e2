import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, spawnProgram, until } from "@heliograph/testkit";
import type { Front, Place } from "./front.ts";

const config = new URL("../../infra/balancer/haproxy.cfg", import.meta.url);
/** Between two looks at what HAProxy knows of the copies. */
const lookMs = 200;

/** What a line of HAProxy's log tells of a request whose copy went away before its answer or amid it, of one that went to another copy, and of one for which there was none; undefined where it tells of nothing such. */
export function toldBy(
  line: string,
): { readonly cut: string } | { readonly elsewhere: true } | { readonly nobody: true } | undefined {
  // Status, bytes, cookies, who ended it and when, connections and retries (`+`: at another copy), queues, the request.
  const found = / \d+ \d+ - - (\S)(\S)-- [\d/]+\/(\+?)\d+ \d+\/\d+ "(\S+ \S+)/.exec(line);
  if (found === null) return undefined;
  const [, by, when, again, request] = found;
  if (by === "S" && when === "C") return { nobody: true };
  if (by?.toUpperCase() === "S")
    return { cut: `${request} ${when === "D" ? "amid" : "before"} its answer` };
  return again === "+" ? { elsewhere: true } : undefined;
}

/** The copies as the statistics have them: the state that the last look found, and the requests that each was given. */
export function copiesOf(
  csv: string,
): readonly { readonly ready: boolean; readonly asked: number }[] {
  const [head = "", ...lines] = csv.trim().replace(/^# /, "").split("\n");
  const columns = head.split(",");
  return lines.flatMap((line) => {
    const values = line.split(",");
    const value = (name: string): string => values[columns.indexOf(name)] ?? "";
    if (value("pxname") !== "copies" || value("svname") === "BACKEND") return [];
    return [{ ready: value("status").startsWith("UP"), asked: Number(value("stot")) }];
  });
}

const ask = (socket: string, command: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = "";
    const asked = connect(socket, () => asked.write(`${command}\n`));
    asked.setEncoding("utf8").on("data", (piece: string) => void (answer += piece));
    asked.on("end", () => resolve(answer)).on("error", reject);
  });

/** HAProxy with the configuration of `infra/balancer` before two copies. */
export async function openBalancer(urls: readonly string[]): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-haproxy-"));
  const socket = join(folder, "stats");
  const port = await freePort();
  const text = readFileSync(config, "utf8")
    .replace("global\n", `global\n    stats socket ${socket} mode 600\n`)
    .replace("option httplog\n", "option httplog\n    option dontlog-normal\n");
  writeFileSync(join(folder, "haproxy.cfg"), text);
  const [one, two] = urls.map((url) => new URL(url).host);
  const haproxy = spawnProgram("haproxy", ["-db", "-f", join(folder, "haproxy.cfg")], {
    BALANCER_BIND: `127.0.0.1:${port}`,
    COPY_ONE: one,
    COPY_TWO: two,
  });
  const places = urls.map((url): Place => ({ url, ready: true, asked: 0 }));
  const look = async (): Promise<boolean> => {
    const copies = copiesOf(await ask(socket, "show stat").catch(() => ""));
    for (const [index, copy] of copies.entries()) Object.assign(places[index]!, copy);
    return copies.length === places.length;
  };
  await until(look, { what: `haproxy serves: ${haproxy.output()}` });
  const looking = setInterval(() => void look(), lookMs);
  return {
    url: `http://127.0.0.1:${port}`,
    places,
    get seen() {
      const told = haproxy
        .output()
        .split("\n")
        .flatMap((line) => toldBy(line) ?? []);
      const cut = told.flatMap((each) => ("cut" in each ? each.cut : []));
      const isStream = (each: string): boolean => each.includes("/events/stream");
      return {
        elsewhere: told.filter((each) => "elsewhere" in each).length,
        nobody: told.filter((each) => "nobody" in each).length,
        cut: cut.filter((each) => !isStream(each)),
        streams: cut.filter(isStream).length,
      };
    },
    async close() {
      clearInterval(looking);
      await haproxy.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
