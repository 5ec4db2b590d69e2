// Plays the platform in a time of its own, with everything that can go wrong, and looks whether it holds what it promises.
//   npm run simulate -- --messages 100000 --seed 7
// A play that fails is made as small as it can be and is named, so that `--play '<json>'` plays it again.
import { parseArgs } from "node:util";
import fc from "fast-check";
import { play, plays, type Play } from "./play.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    messages: { type: "string", default: "10000" },
    /** Most messages of one play. */
    each: { type: "string", default: "40" },
    play: { type: "string" },
  },
});

const numberOf = (name: "seed" | "messages" | "each"): number => {
  const number = Number(values[name]);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} is a whole number`);
  return number;
};

if (values.play !== undefined) {
  const { faults, digest } = await play(JSON.parse(values.play) as Play);
  console.log([...faults, digest].join("\n"));
  process.exit(faults.length === 0 ? 0 : 1);
}

const [seed, messages, each] = [numberOf("seed"), numberOf("messages"), numberOf("each")];
let played = 0;
let count = 0;
/** A play has failed, and is made smaller. */
let isShrinking = false;
const begun = process.hrtime.bigint();
const seconds = (): number => Number(process.hrtime.bigint() - begun) / 1e9;
const perSecond = (): number => {
  const { user, system } = process.cpuUsage();
  return Math.round((played * 1e6) / (user + system));
};
const property = fc.asyncProperty(plays(each), async (given) => {
  if (played >= messages && !isShrinking) return;
  const { faults, messages: made } = await play(given);
  if (!isShrinking) {
    played += made;
    if (++count % 100 === 0) console.log(`${played} messages, ${Math.round(seconds())} s`);
  }
  isShrinking ||= faults.length > 0;
  if (faults.length > 0) throw new Error(faults.join("\n"));
});
const result = await fc.check(property, { seed, numRuns: messages, endOnFailure: false });
if (result.failed) {
  const [smallest] = result.counterexample ?? [];
  console.log(
    `seed ${seed}: a play fails after ${played} messages, made smaller ${result.numShrinks} times:`,
  );
  console.log(
    String(
      result.errorInstance instanceof Error ? result.errorInstance.message : result.errorInstance,
    ),
  );
  console.log(`again: npm run simulate -- --play '${JSON.stringify(smallest)}'`);
  process.exitCode = 1;
} else
  console.log(
    `seed ${seed}: ${played} messages in ${count} plays, ${seconds().toFixed(1)} s, ${perSecond()} a second of a processor: nothing was found`,
  );
