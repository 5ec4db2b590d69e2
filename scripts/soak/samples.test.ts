import { expect, it } from "vitest";
import { growth, livesOf, type Sample } from "./samples.ts";

/** A life of five minutes, looked at every five seconds, in which one figure is what `at` says of the seconds. */
const life = (more: (seconds: number) => Partial<Sample>, pid = 1, from = 0): readonly Sample[] =>
  Array.from({ length: 61 }, (_, index) => ({
    pid,
    seconds: from + index * 5,
    rssMb: 300,
    descriptors: 80,
    sessions: 30,
    lagEvents: 100,
    ...more(index * 5),
  }));
const found = (...lives: (readonly Sample[])[]) => growth(livesOf(lives.flat()), 1_000);

it("says nothing of what fills up in the first minute and stays, of a life that was too short, and of a lag of seconds", () => {
  expect(found(life((s) => ({ rssMb: Math.min(200 + s * 3, 400) })))).toEqual([]);
  expect(found(life((s) => ({ rssMb: 100 + s * 50 })).slice(0, 18))).toEqual([]);
  expect(found(life((s) => ({ lagEvents: s * 3 })))).toEqual([]);
});

it.each([
  ["rssMb", 2, "MB of memory"],
  ["descriptors", 0.5, "open descriptors"],
  ["sessions", 0.2, "processes of PostgreSQL"],
  ["lagEvents", 40, "events behind"],
] as const)("names %s that goes on growing, in the life where it does", (name, perSecond, text) => {
  const growing = life((s) => ({ [name]: 50 + s * perSecond }), 7, 400);
  expect(
    found(
      life(() => ({})),
      growing,
    ),
  ).toEqual([
    expect.stringMatching(new RegExp(`^process 7 \\(from 400 s on, 300 s\\): .* ${text} became`)),
  ]);
});
