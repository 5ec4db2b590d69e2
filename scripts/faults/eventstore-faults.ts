import { setTimeout as pause } from "node:timers/promises";
import { freePort, until } from "@heliograph/testkit";
import { eventStoreDouble, type EventStoreDouble } from "@heliograph/testkit/eventstore";
import { projections, rebuild } from "./check-projections.ts";
import type { Fault } from "./faults.ts";
import type { Send } from "./journal.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

type Answer = Send["answers"][number];
type Strike = (double: EventStoreDouble, world: World, random: Random) => Promise<void>;

/**
 * What is done to the log's server while messages come in. The product outlives all of it: a process that ends is a violation, even where it would be
 * started again; so is a refusal that does not say when to come back, and anything that is not refused in the catalogue's words.
 */
const fault = (name: string, strike: Strike): Fault => ({
  name: `EventStoreDB ${name}`,
  async run(world, random) {
    if (world.eventStore === undefined) throw new Error("this world has no EventStoreDB");
    world.journal.interruptions++;
    const known = new Set(answers(world));
    let ended = "";
    const { instance } = world;
    void instance.exited.then((exit) => (ended = JSON.stringify(exit)));
    try {
      await strike(world.eventStore, world, random);
    } finally {
      await recover(world.eventStore);
    }
    if (ended !== "" && instance === world.instance) throw new Error(`the process ended: ${ended}`);
    for (const answer of answers(world).filter((each) => !known.has(each))) {
      const { status, retryAfter, text } = answer;
      if (status < 500) continue;
      if (status !== 503 || retryAfter === null || !text.includes('"log_unavailable"'))
        throw new Error(`answered ${status}, Retry-After ${retryAfter}: ${text.slice(0, 300)}`);
    }
  },
});

/** Where a fault broke off: the rest of the round is to tell more than that the server is still away. */
async function recover(double: EventStoreDouble): Promise<void> {
  double.thaw();
  await double.start();
  Object.assign(double.faults, { hang: false, slowMs: 0, leaderPort: undefined });
  double.faults.loseAnswers(0);
  double.faults.failAppends(0);
}

const answers = (world: World): readonly Answer[] =>
  world.journal.sends.flatMap((send) => send.answers);

/** Waits for an answer to a send that comes from now on. */
async function answered(world: World, status: number, what: string): Promise<void> {
  const known = new Set(answers(world));
  await until(() => answers(world).some((each) => each.status === status && !known.has(each)), {
    timeoutMs: 20_000,
    what,
  });
}
const refusing = (world: World) => answered(world, 503, "sends are refused without the log");
/** Ids that no answer told before: a retry of what was accepted long ago needs no log. */
async function accepting(world: World): Promise<void> {
  const known = new Set(answers(world).map(({ id }) => id));
  await until(() => answers(world).some(({ id }) => id !== undefined && !known.has(id)), {
    timeoutMs: 20_000,
    what: "new sends are accepted again",
  });
}

const cuts = fault("loses every connection, five times", async (double, world) => {
  for (let round = 0; round < 5; round++) {
    world.journal.interruptions++;
    double.cut();
    await pause(600);
  }
});

/** In the middle of what is under way: a request that half arrived, an answer that half left. */
const cutMessages = fault(
  "loses every connection at twelve messages",
  async (double, world, random) => {
    for (let round = 0; round < 12; round++) {
      world.journal.interruptions++;
      const { cuts: before } = double.faults;
      double.faults.cutAt(1 + random.below(30), random.pick(["before", "middle", "after"]));
      await until(() => double.faults.cuts > before, { what: "a message comes by" });
      await pause(random.below(250));
    }
  },
);

const someAnswers = fault("stores appends whose answers are lost", async (double) => {
  for (let round = 0; round < 4; round++) {
    double.faults.loseAnswers(10);
    await pause(1_500);
  }
  double.faults.loseAnswers(0);
});

/** Longer than an append is repeated: its outcome stays unknown to the caller, and is found by his retry. */
const noAnswers = fault("stores everything and answers no append for 8 s", async (double) => {
  double.faults.loseAnswers(Infinity);
  await pause(8_000);
  double.faults.loseAnswers(0);
});

const failures = fault("refuses appends with an error that says nothing", async (double) => {
  for (let round = 0; round < 3; round++) {
    double.faults.failAppends(15);
    await pause(700);
  }
  double.faults.failAppends(0);
});

const slow = fault("takes 500 ms to 2 s for each answer, for 12 s", async (double, _, random) => {
  for (let round = 0; round < 12; round++) {
    double.faults.slowMs = 500 + random.below(1_500);
    await pause(1_000);
  }
  double.faults.slowMs = 0;
});

/** The connections stay as they are, and what arrives meanwhile is never answered. */
const hanging = fault(
  "answers nothing for 8 s, and what came then never",
  async (double, world) => {
    double.faults.hang = true;
    await pause(8_000);
    double.faults.hang = false;
    await accepting(world);
  },
);

const ended = fault("ends the subscriptions, five times", async (double) => {
  for (let round = 0; round < 5; round++) {
    double.faults.endSubscriptions();
    await pause(400);
  }
});

/** An election whose first winner is lost, then one that holds, and back. */
const elections = fault("is a follower for a while", async (double, world) => {
  double.faults.leaderPort = await freePort();
  await pause(3_000);
  const other = await eventStoreDouble({ store: double.store });
  try {
    double.faults.leaderPort = other.port;
    await accepting(world);
    await pause(2_000);
    double.faults.leaderPort = undefined;
    other.faults.leaderPort = double.port;
    await pause(2_000);
  } finally {
    await other.close();
  }
  await accepting(world);
});

const away = fault("is away for 20 s", async (double, world) => {
  const startedAt = performance.now();
  await double.stop();
  await refusing(world);
  // It goes on saying so, instead of keeping callers waiting.
  await pause(2_000);
  const asked = performance.now();
  await refusing(world);
  if (performance.now() - asked > 4_000) throw new Error("a refusal takes more than 4 s");
  await pause(20_000 - (performance.now() - startedAt));
  await double.start();
  await accepting(world);
});

const awayAtBoot = fault("is away when the product starts", async (double, world) => {
  await double.stop();
  world.instance.kill("SIGKILL");
  await world.instance.exited;
  const starting = world.start();
  await Promise.race([
    starting.then(() => Promise.reject(new Error("it is ready without its log"))),
    pause(8_000),
  ]);
  await double.start();
  await starting;
  await accepting(world);
});

const flapping = fault("goes away and comes back, six times", async (double, world, random) => {
  for (let round = 0; round < 6; round++) {
    world.journal.interruptions++;
    await double.stop();
    await pause(500 + random.below(2_500));
    await double.start();
    await pause(300 + random.below(1_200));
  }
  await accepting(world);
});

const rebuilds = fault(
  "loses connections and is away while read models are rebuilt",
  async (double, world) => {
    const models = (await projections(world)).filter(({ kind }) => kind === "projector");
    const cutting = setInterval(double.cut, 700);
    let outage: Promise<void> | undefined;
    const leave = async (): Promise<void> => {
      await double.stop();
      await pause(3_000);
      await double.start();
    };
    try {
      for (const model of models) {
        world.journal.interruptions++;
        // Only what has been started goes on without the log; starting it needs one.
        const rebuilt = until(() => rebuild(world, model, false), {
          timeoutMs: 60_000,
          what: `${model.name} is rebuilt in ${model.environment}`,
        });
        outage ??= leave();
        const { status, error } = await rebuilt;
        if (status !== "done") throw new Error(`the rebuild of ${model.name} failed: ${error}`);
      }
    } finally {
      clearInterval(cutting);
      await outage;
    }
    await accepting(world);
  },
);

const stopped = fault("is stopped for 25 s and continues", async (double, world) => {
  double.freeze();
  await refusing(world);
  await pause(25_000);
  double.thaw();
  await accepting(world);
});

/** Everything that can happen to the log's server; the other faults hold with it as well. */
export const eventStoreFaults: readonly Fault[] = [
  cuts,
  cutMessages,
  someAnswers,
  noAnswers,
  failures,
  slow,
  hanging,
  ended,
  elections,
  away,
  awayAtBoot,
  flapping,
  rebuilds,
  stopped,
];

/** What the short run of `npm test` does, in this order. */
export const shortEventStoreFaults: readonly Fault[] = [cutMessages, ended, failures];
