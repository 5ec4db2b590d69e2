import { directoryDouble } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { Desk } from "../src/assignment/desk.ts";
import { Plan } from "../src/assignment/plan.ts";

const work = (thread: string, asked: boolean) => ({
  kind: "work" as const,
  id: thread,
  fact: {
    partner: "p",
    thread,
    conversation: `cnv_${thread}`,
    contact: "cnt_1",
    inbox: "+15550109999",
    revision: 3,
    status: "open" as const,
    stray: false,
    pinned: false,
    answered: false,
    waitingSince: 4,
    asked,
    queued: false,
    openedAtMs: 0,
    due: {},
    met: [],
    overdue: [],
  },
});

it("Of a partner without teams only those are looked at of which somebody asked, however many wait", async () => {
  const desk = new Desk([
    ...Array.from({ length: 1_000 }, (_, index) => work(`thread-${index}`, false)),
    work("thread-asked", true),
  ] as ConstructorParameters<typeof Desk>[0]);
  const looked: (string | undefined)[] = [];
  const waiting = desk.waiting.bind(desk);
  desk.waiting = (partner, which) => {
    const works = waiting(partner, which);
    looked.push(...works.map(({ thread }) => thread));
    return works;
  };
  const plan = new Plan({
    desk,
    directory: directoryDouble(),
    environment: "sandbox",
    languages: { load: async () => undefined, of: () => undefined, forget: () => undefined },
    position: 10n,
    nowMs: 1_000,
  });
  await plan.partner("p");
  expect(looked).toEqual(["thread-asked"]);
  expect(plan.appends.map(({ stream }) => stream)).toEqual(["thread-asked"]);
  // It has its answer, so nobody asks any more.
  expect(waiting("p", "asked")).toEqual([]);
});
