import fc from "fast-check";
import { expect, test } from "vitest";
import { Health, type Advice } from "../src/health.ts";
import type { Failing } from "../src/store.ts";
import type { AttemptOutcome } from "../src/tables/statistics.ts";

const hourMs = 3_600_000;
const limitMs = 120 * hourMs;
const id = "whe_1";

/** A health that is kept over restarts as the table keeps it, with a clock of its own that may be set. */
function openRun() {
  let table: readonly Failing[] = [];
  let health = new Health(limitMs, table);
  let [time, ahead, startedAt] = [1_800_000_000_000, 0, 0];
  const at = () => ({ now: time + ahead, tick: time - startedAt });
  return {
    time: () => time,
    pass: (ms: number) => (time += ms),
    setClock: (ms: number) => (ahead += ms),
    restart(): void {
      for (const { name, values } of health.take(new Set())) {
        if (name === "forget_failing") table = [];
        else {
          const [ids, since, failedAt, failedForMs, told] = values as [
            string[],
            string,
            string,
            string,
            boolean[],
          ];
          const number = (text: string): number => Number(text.slice(1, -1));
          table = [
            {
              endpointId: ids[0]!,
              since: number(since),
              failedAt: number(failedAt),
              failedForMs: number(failedForMs),
              told: told[0]!,
            },
          ];
        }
      }
      health = new Health(limitMs, table);
      startedAt = time;
    },
    attempt(outcome: AttemptOutcome): Advice {
      if (outcome !== "delivered") return health.failed(id, outcome, at());
      if (health.delivered(id, at()) !== undefined) health.recovered(id);
      return "none";
    },
    another: () => health.delivered("whe_2", at()),
    health: () => health,
  };
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("fails" as const),
      outcome: fc.constantFrom<AttemptOutcome[]>("status_5xx", "timeout", "status_4xx"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("answers" as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("another" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("unsettle" as const),
      ms: fc.integer({ min: -200 * hourMs, max: 200 * hourMs }),
    }),
  },
);

test.each(["its clock is set", "it is started anew"])(
  "No endpoint is disabled before it failed for as long as that in truth, however often %s",
  (what) => {
    let disabled = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(step, fc.integer({ min: 0, max: 40 * hourMs })), {
          minLength: 20,
          maxLength: 60,
        }),
        (steps) => {
          const run = openRun();
          let firstAt: number | undefined;
          for (const [each, ms] of steps) {
            run.pass(ms);
            if (each.type === "another") run.another();
            else if (each.type === "unsettle") {
              if (what === "its clock is set") run.setClock(each.ms);
              else run.restart();
            } else if (each.type === "answers") {
              run.attempt("delivered");
              firstAt = undefined;
            } else {
              firstAt ??= run.time();
              if (run.attempt(each.outcome) !== "disable") continue;
              disabled++;
              expect(run.time() - firstAt).toBeGreaterThanOrEqual(limitMs);
              return;
            }
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(disabled).toBeGreaterThan(10);
  },
);

/** What comes of failures that lie so far apart. */
const advices = (outcome: AttemptOutcome, everyMs: number, count: number, others = false) => {
  const run = openRun();
  return Array.from({ length: count }, () => {
    run.pass(everyMs);
    if (others) run.another();
    return run.attempt(outcome);
  });
};

test("An endpoint that answers with errors is told of after a day and disabled after five", () => {
  const advice = advices("status_5xx", 24 * hourMs, 6);
  expect(advice).toEqual(["none", "tell", "tell", "tell", "tell", "disable"]);
});

test("Silence counts where others answer meanwhile: with our own network away nobody is disabled", () => {
  expect(advices("timeout", 12 * hourMs, 40)).not.toContain("tell");
  expect(advices("timeout", 12 * hourMs, 40, true)).toContain("disable");
});

test("Nothing counts for which our resolver, our settings or our keys may be to blame, and no time in which nothing was tried", () => {
  for (const outcome of [
    "dns_failed",
    "address_refused",
    "endpoint_unusable",
    "keys_unavailable",
  ] as const)
    expect(advices(outcome, 12 * hourMs, 40, true)).not.toContain("tell");
  expect(advices("status_5xx", 31 * hourMs, 40)).not.toContain("tell");
});

test("Its owner hears once that it fails and once that it answers, and what failed before says nothing of later", () => {
  const run = openRun();
  const heard: string[] = [];
  for (let at = 0; at < 40; at++) {
    run.pass(12 * hourMs);
    if (at % 6 === 5) {
      if (run.health().delivered(id, { now: run.time(), tick: run.time() }) !== undefined) {
        heard.push("recovered");
        run.health().recovered(id);
      }
      continue;
    }
    const advice = run.attempt("status_4xx");
    expect(advice).not.toBe("disable");
    if (advice !== "tell") continue;
    heard.push("failing");
    run.health().told(id);
    run.restart();
  }
  expect(heard.slice(0, 4)).toEqual(["failing", "recovered", "failing", "recovered"]);
  expect(heard).toHaveLength(13);
});

test("Another receiver, or one that was enabled again, begins with a clean slate", () => {
  const run = openRun();
  for (let at = 0; at < 5; at++) {
    run.pass(24 * hourMs);
    run.attempt("status_5xx");
  }
  run.health().forget(id);
  run.restart();
  run.pass(24 * hourMs);
  expect(run.attempt("status_5xx")).toBe("none");
});
