// Plays the platform in a time of its own, with everything that can go wrong, and looks whether it holds what it promises.
//   npm run simulate -- --messages 100000 --seed 7
//   npm run simulate -- --minutes 60
// A play that fails is made as small as it can be and is named, so that `--play '<json>'` plays it again.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { play, type Play } from "./play.ts";
import { forked, here, serve, type Failure } from "./rounds.ts";

/** So many failures are enough to begin with. */
const mostFailures = 10;
const tellEveryMs = 10_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    messages: { type: "string", default: "10000" },
    /** In place of a number of messages. */
    minutes: { type: "string" },
    /** Most messages of one play. */
    each: { type: "string", default: "40" },
    /** Processes. */
    workers: { type: "string", default: String(availableParallelism()) },
    play: { type: "string" },
  },
});

type Option = "seed" | "messages" | "each" | "minutes" | "workers";
const numberOf = (name: Option): number => {
  const number = Number(values[name]);
  const least = name === "seed" ? 0 : 1;
  if (!Number.isSafeInteger(number) || number < least)
    throw new Error(`--${name} is a whole number from ${least} on`);
  return number;
};

async function playOne(given: string): Promise<void> {
  const { faults, digest } = await play(JSON.parse(given) as Play);
  console.log([...faults, digest].join("\n"));
  process.exit(faults.length === 0 ? 0 : 1);
}

function show({ seed, what, play: given, shrinks }: Failure): void {
  console.log(`seed ${seed}: a play fails, made smaller ${shrinks} times:\n${what}`);
  console.log(`again: npm run simulate -- --play '${JSON.stringify(given)}'`);
}

/** Each round has a seed of its own, and whichever process is free plays the next. What has begun is played to its end, so there may be some thousand messages more than were asked for. */
async function playAll(): Promise<void> {
  const [first, messages, each] = [numberOf("seed"), numberOf("messages"), numberOf("each")];
  const untilMs = values.minutes === undefined ? undefined : numberOf("minutes") * 60_000;
  const count = numberOf("workers");
  const begun = performance.now();
  const ranMs = (): number => performance.now() - begun;
  const sum = { plays: 0, messages: 0, seconds: 0, failures: 0 };
  let [next, toldMs] = [first, 0];
  const isOver = (): boolean =>
    sum.failures >= mostFailures ||
    (untilMs === undefined ? sum.messages >= messages : ranMs() >= untilMs);
  const work = async (): Promise<void> => {
    const worker = count === 1 ? here() : forked(process.argv[1]!);
    while (!isOver()) {
      const round = await worker.play({ seed: next++, each });
      sum.plays += round.plays;
      sum.messages += round.messages;
      sum.seconds += round.seconds;
      if (round.failure !== undefined) {
        sum.failures++;
        show(round.failure);
      }
      if (ranMs() - toldMs < tellEveryMs) continue;
      toldMs = ranMs();
      console.log(`${sum.messages} messages, ${Math.round(toldMs / 1_000)} s`);
    }
    worker.end();
  };
  await Promise.all(Array.from({ length: count }, work));
  const found = sum.failures === 0 ? "nothing was" : `${sum.failures} failures were`;
  console.log(
    `seed ${first}: ${sum.messages} messages in ${sum.plays} plays of ${next - first} seeds, ${(ranMs() / 1_000).toFixed(1)} s, ${Math.round(sum.messages / sum.seconds)} a second of a processor: ${found} found`,
  );
  process.exitCode = sum.failures === 0 ? 0 : 1;
}

if (process.send !== undefined) serve();
else if (values.play !== undefined) await playOne(values.play);
else await playAll();
