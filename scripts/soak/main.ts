import { parseArgs } from "node:util";
import { seededRandom } from "../faults/random.ts";
import { allowClosedOutput } from "../shared/output.ts";
import { soak } from "./soak.ts";

allowClosedOutput();

/**
 * `npm run soak -- --minutes 60`: the product under a steady load for as long as is said, with kills at random. It reports what memory, descriptors, sessions and lag were in each life of
 * the process, how long each fault was felt, and whether what was accepted was stored, sent, told and paid once. Ends with 1 where something grew or does not agree.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    /** Of what the machine can do, which is measured first. */
    load: { type: "string", default: "0.6" },
    /** Messages a second, in place of a share of what the machine can do. */
    rate: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    log: { type: "string", default: "postgres" },
    feed: { type: "string", default: "log" },
  },
});
const refuse = (sentence: string): never => {
  console.error(`soak: ${sentence}`);
  process.exit(2);
};
const number = (name: "minutes" | "load" | "seed" | "rate"): number => {
  const value = Number(values[name]);
  return Number.isFinite(value) && value >= 0 ? value : refuse(`--${name} must be a number`);
};
const log = values.log === "eventstoredb" ? "eventstoredb" : "postgres";
const feed = values.feed === "kafka" ? "kafka" : "log";
if (log !== values.log || feed !== values.feed)
  refuse("--feed is log or kafka, --log is postgres or eventstoredb");
const [minutes, load, seed] = [number("minutes"), number("load"), number("seed")];
if (load === 0 || load > 1) refuse("--load is a share of what the machine can do, up to 1");
const rate = values.rate === undefined ? undefined : number("rate");

console.log(`seed ${seed}, ${minutes} minutes on ${log}, fed by ${feed}`);
const options = { minutes, load, rate, log, feed, random: seededRandom(seed) } as const;
const wrong = await soak(options, console.log);
for (const sentence of wrong) console.log(`FAILS  ${sentence}`);
console.log(wrong.length === 0 ? "holds" : `${wrong.length} things do not hold`);
process.exit(wrong.length === 0 ? 0 : 1);
