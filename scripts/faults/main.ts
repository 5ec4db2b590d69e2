import { parseArgs } from "node:util";
import { clusterFaults } from "./cluster-faults.ts";
import { eventStoreFaults } from "./eventstore-faults.ts";
import { allFaults } from "./faults.ts";
import { behindHaproxy, behindOneAddress } from "./front-faults.ts";
import { kafkaFaults } from "./kafka-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { outageFaults } from "./outage-faults.ts";
import { ownerFaults } from "./owner-faults.ts";
import { standbyFaults } from "./standby-faults.ts";
import { versionFaults } from "./version-faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld, type World } from "./world.ts";
import { allowClosedOutput } from "../shared/output.ts";

allowClosedOutput();

/**
 * `pnpm faults --minutes 30 --seed 7`: faults in the order that the seed gives, each under load and followed by the check of every invariant. `--only text`
 * takes those whose name contains it, and without it those that take minutes are left to runs of an hour and more; `--previous ref` says which version runs beside this one; `--log eventstoredb` and `--feed kafka` run the product on these engines and add what can happen to them. Ends with 1 at the first violation, leaving the data folder and printing how to repeat it.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", default: "" },
    rate: { type: "string", default: "80" },
    log: { type: "string", default: "postgres" },
    feed: { type: "string", default: "log" },
    previous: { type: "string", default: "" },
    "keep-going": { type: "boolean", default: false },
  },
});
const number = (name: "minutes" | "seed" | "rate"): number => {
  const value = Number(values[name]);
  if (!Number.isFinite(value) || value < 0) {
    console.error(`faults: --${name} must be a number`);
    process.exit(2);
  }
  return value;
};
/** A world grows with each round, and every check looks at all of it. */
const roundsPerWorld = 5;

const seed = number("seed");
const random = seededRandom(seed);
const feed = values.feed === "kafka" ? "kafka" : "log";
const log = values.log === "eventstoredb" ? "eventstoredb" : "postgres";
if (feed !== values.feed || log !== values.log) {
  console.error("faults: --feed is log or kafka, --log is postgres or eventstoredb");
  process.exit(2);
}
const known = [
  ...(log === "eventstoredb" ? eventStoreFaults : []),
  ...(feed === "kafka" ? [...kafkaFaults, ...clusterFaults] : []),
  ...allFaults,
  ...networkFaults,
  behindOneAddress,
  behindHaproxy,
  ...ownerFaults,
  ...outageFaults,
  ...(feed === "log" && log === "postgres"
    ? [...standbyFaults, ...versionFaults(values.previous || undefined)]
    : []),
];
const withLong = values.only !== "" || number("minutes") >= 60;
const faults = known.filter(
  ({ name, long }) => name.includes(values.only) && (withLong || long !== true),
);
if (faults.length === 0) {
  console.error(
    `faults: none is called "${values.only}"; there are:\n${known.map(({ name }) => `  ${name}`).join("\n")}`,
  );
  process.exit(2);
}
const deadline = performance.now() + number("minutes") * 60_000;
console.log(`seed ${seed}, ${faults.length} faults`);

let queue: (typeof faults)[number][] = [];
let world: World | undefined;
let rounds = 0;
let failures = 0;
let accepted = 0;
while (rounds === 0 || performance.now() < deadline) {
  if (queue.length === 0) queue = shuffled(faults);
  const fault = queue.pop()!;
  if (world === undefined || fault.open !== undefined || rounds % roundsPerWorld === 0) {
    await world?.close();
    world = await (fault.open?.(random) ?? openWorld(random, { log, feed }));
  }
  const round = await runRound(world, [fault], random, number("rate"));
  rounds++;
  accepted += round.accepted;
  console.log(
    `${round.violations.length === 0 ? "holds" : "FAILS"}  ${round.fault} (${round.accepted} accepted, ${round.seconds} s, at rest after ${round.restSeconds} s)`,
  );
  for (const note of round.notes) console.log(`       ${note}`);
  if (round.violations.length === 0) {
    if (fault.open === undefined) continue;
    await world.close();
    world = undefined;
    continue;
  }
  failures++;
  for (const violation of round.violations) console.log(`       ${violation}`);
  const output = world.instance.output().trim();
  if (output) console.log(`--- the instance's last output\n${output.slice(-3_000)}`);
  console.log(
    `--- repeat with: pnpm faults --seed ${seed} --log ${log} --feed ${feed} --only "${values.only}"`,
  );
  if (!values["keep-going"]) break;
  await world.close();
  world = undefined;
}
await world?.close();
console.log(`${rounds} rounds, ${accepted} messages accepted, ${failures} rounds with violations`);
process.exit(failures === 0 ? 0 : 1);

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  for (let index = left.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [left[index], left[other]] = [left[other]!, left[index]!];
  }
  return left;
}
