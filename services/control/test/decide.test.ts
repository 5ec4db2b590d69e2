import { expect, it } from "vitest";
import fc from "fast-check";
import { decideRevoke, decideRotate, evolve, type KeyState } from "../src/decide-key.ts";

const key = {
  key_id: "key_1",
  partner_id: "ptn_1",
  environment: "live",
  revoked: false,
} as KeyState;
const live = { partner: "ptn_1", environment: "live" } as const;
const strangers = [
  [undefined, live],
  [key, { ...live, partner: "ptn_2" }],
  [key, { ...live, environment: "sandbox" }],
] as const;
const now = Date.parse("2026-01-01T00:00:00.000Z");
const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();
const rotation = { successorId: "key_2", overlapSeconds: 60, predecessors: [], now };

it("revokes a key once", () => {
  const data = { key_id: "key_1", partner_id: "ptn_1" };
  expect(decideRevoke(key, live)).toEqual({ events: [{ type: "KeyRevoked", data }] });
  expect(decideRevoke({ ...key, revoked: true }, live)).toEqual({ events: [] });
});

it("does not find another partner's key, nor a live one for a sandbox key", () => {
  for (const [state, caller] of strangers) {
    expect(decideRevoke(state, caller)).toEqual({ refusal: "not_found" });
    expect(decideRotate(state, caller, rotation)).toEqual({ refusal: { type: "not_found" } });
  }
});

it("rotates a key that works and has no successor, until the overlap ends", () => {
  const data = {
    key_id: "key_1",
    partner_id: "ptn_1",
    successor_id: "key_2",
    works_until: at(60),
    rotated_at: at(0),
  };
  expect(decideRotate(key, live, rotation)).toEqual({ events: [{ type: "KeyRotated", data }] });
  const refusals = [
    [
      { ...key, revoked: true },
      { type: "ended", end: "revoked" },
    ],
    [
      { ...key, expires_at: at(0) },
      { type: "ended", end: "expired" },
    ],
    [
      { ...key, expires_at: "soon" },
      { type: "ended", end: "expired" },
    ],
    [
      { ...key, replaced_by: "key_9" },
      { type: "replaced", by: "key_9" },
    ],
  ] as const;
  for (const [state, refusal] of refusals)
    expect(decideRotate(state, live, rotation)).toEqual({ refusal });
});

it("lets two of a line work at a time, whatever is asked in which order", () => {
  const step = fc.record({
    overlapSeconds: fc.constantFrom(0, 1, 60, 600),
    later: fc.integer({ min: 0, max: 300 }),
    expires: fc.option(fc.integer({ min: 0, max: 900 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const line: KeyState[] = [key];
      let seconds = 0;
      for (const { overlapSeconds, later, expires } of steps) {
        seconds += later;
        const last = line.at(-1)!;
        const successorId = `key_${line.length + 1}`;
        const predecessors = line.slice(0, -1);
        const asked = { successorId, overlapSeconds, predecessors, now: now + seconds * 1000 };
        const decision = decideRotate(last, live, asked);
        if ("refusal" in decision) continue;
        const [event] = decision.events;
        const rotated = evolve(last, { ...event!, revision: 1 } as never)!;
        line[line.length - 1] = rotated;
        line.push({
          ...key,
          key_id: successorId,
          replaces: last.key_id,
          ...(expires !== undefined && { expires_at: at(seconds + expires) }),
        });
        const works = line.filter(
          ({ expires_at }) =>
            expires_at === undefined || Date.parse(expires_at) > now + seconds * 1000,
        );
        expect(works.length).toBeLessThanOrEqual(2);
        // A rotation makes nothing last longer.
        if (last.expires_at !== undefined)
          expect(Date.parse(rotated.expires_at!)).toBeLessThanOrEqual(Date.parse(last.expires_at));
      }
    }),
  );
});
