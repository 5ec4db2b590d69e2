#!/usr/bin/env node
import { main } from "./index.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
// A reader that has gone, such as `head`, ends the program without a word.
process.stdout.on("error", () => process.exit(0));

process.exitCode = await main({
  args: process.argv.slice(2),
  env: process.env,
  signal: stop.signal,
  print: (line) => process.stdout.write(`${line.trimEnd()}\n`),
  say: (line) => process.stderr.write(`${line.trimEnd()}\n`),
  async readInput() {
    const parts: Buffer[] = [];
    for await (const part of process.stdin) parts.push(part as Buffer);
    return Buffer.concat(parts).toString("utf8");
  },
});
