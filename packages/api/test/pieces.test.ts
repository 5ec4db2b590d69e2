import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  BodyBudget,
  decodeCursor,
  encodeCursor,
  parseIdempotencyKey,
  problemOf,
  requestId,
  Router,
} from "../src/index.ts";
import { PublicError } from "@heliograph/contracts";
import { RateLimiter } from "@heliograph/runtime";

describe("the rate limiter", () => {
  const limit = { requests: 10, windowSeconds: 1 };
  test("never tells of more than the whole burst, also while the clock goes on", () => {
    let now = 0;
    const limiter = new RateLimiter(() => (now += 1));
    expect(limiter.take("a", { requests: 1_000_000, windowSeconds: 1 }).remaining).toBe(999_999);
  });

  test("allows a burst, then the rate, for each name apart", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    const burst = Array.from({ length: 12 }, () => limiter.take("a", limit));
    expect(burst.map((verdict) => verdict.allowed)).toEqual([
      ...Array<boolean>(10).fill(true),
      false,
      false,
    ]);
    expect(burst.map((verdict) => verdict.remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]);
    expect(burst[10]).toMatchObject({ retryAfterSeconds: 1, resetSeconds: 1 });
    expect(limiter.take("b", limit).allowed).toBe(true);
    now = 100;
    expect([limiter.take("a", limit).allowed, limiter.take("a", limit).allowed]).toEqual([
      true,
      false,
    ]);
  });
  test("never lets more through than burst plus rate, whatever the arrivals", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    let allowed = 0;
    for (let index = 0; index < 20_000; index++) {
      now += Math.random() * 5;
      if (limiter.take("a", limit).allowed) allowed++;
    }
    const most = 10 + now / 100;
    expect(allowed).toBeLessThanOrEqual(most + 1);
    expect(allowed).toBeGreaterThan(most - 2);
  });
  test("charges a batch for all of its items and waits longer after it", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    limiter.take("a", limit);
    limiter.charge("a", limit, 99);
    expect(limiter.take("a", limit)).toMatchObject({ allowed: false, retryAfterSeconds: 10 });
    now = 9_100;
    expect(limiter.take("a", limit).allowed).toBe(true);
  });
  test("of batches that come at once lets in as many as there is room for, and the others wait seconds", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    const fast = { requests: 2_000, windowSeconds: 10 };
    for (let index = 0; index < 60; index++) limiter.take("a", fast);
    const verdicts = Array.from({ length: 60 }, () => limiter.charge("a", fast, 999));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(2);
    expect(verdicts[59]!.retryAfterSeconds).toBeLessThan(5);
    now = 5_000;
    expect(limiter.take("a", fast).allowed).toBe(true);
  });
  test("gives back what was not done, and never makes a partner wait longer than a minute", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    limiter.take("a", limit);
    limiter.charge("a", limit, 9);
    limiter.refund("a", limit, 10);
    expect(limiter.take("a", limit)).toMatchObject({ allowed: true, remaining: 9 });
    limiter.charge("a", limit, 100_000);
    expect(limiter.take("a", limit)).toMatchObject({ allowed: false, retryAfterSeconds: 61 });
    now = 60_100;
    expect(limiter.take("a", limit).allowed).toBe(true);
  });
  test("lets at most the rate and the burst through in any window, not only in aligned ones", () => {
    let now = 950;
    const limiter = new RateLimiter(() => now);
    const smooth = { requests: 10, windowSeconds: 1, burst: 1 };
    const times: number[] = [];
    for (; now < 3_000; now += 1) if (limiter.take("a", smooth).allowed) times.push(now);
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(10);
    expect(times).toHaveLength(21);
  });
  test.each([
    { requests: 10, windowSeconds: 1 },
    { requests: 10, windowSeconds: 1, burst: 3 },
    { requests: 1, windowSeconds: 7, burst: 2 },
    { requests: 7, windowSeconds: 3600, burst: 1 },
  ])(
    "tells right numbers from the first call on, and a wait after which the next passes: %o",
    (each) => {
      let now = 0;
      const limiter = new RateLimiter(() => now);
      const burst = each.burst ?? each.requests;
      for (let left = burst - 1; left >= 0; left--)
        expect(limiter.take("a", each)).toMatchObject({ allowed: true, remaining: left });
      for (let round = 0; round < 5; round++) {
        const refused = limiter.take("a", each);
        expect(refused).toMatchObject({ allowed: false, remaining: 0 });
        expect(Number.isInteger(refused.retryAfterSeconds)).toBe(true);
        expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(1);
        now += refused.retryAfterSeconds * 1000;
        expect(limiter.take("a", each).allowed).toBe(true);
        while (limiter.take("a", each).allowed);
      }
    },
  );
  test("tells the seconds until a bucket is full whatever the clock's fraction of a millisecond is", () => {
    const slow = { requests: 10, windowSeconds: 100 };
    const told = Array.from({ length: 1_000 }, (_, index) => {
      const limiter = new RateLimiter(() => 10_000 + index * 0.137_77);
      return limiter.take("a", slow).resetSeconds;
    });
    expect(new Set(told)).toEqual(new Set([10]));
  });
  test("gives a part of what is asked, and all of a new limit at once", () => {
    const limiter = new RateLimiter(() => 0);
    expect(limiter.take("a", limit, 7)).toMatchObject({ granted: 7, remaining: 3 });
    expect(limiter.take("a", limit, 7)).toMatchObject({
      granted: 3,
      remaining: 0,
      retryAfterSeconds: 1,
    });
    expect(limiter.look("a", limit)).toMatchObject({ remaining: 0, resetSeconds: 1 });
    expect(limiter.take("a", { requests: 20, windowSeconds: 1 }, 30).granted).toBe(20);
  });
});

describe("the budget of bodies", () => {
  const refusal = (work: () => void): string | undefined => {
    try {
      work();
    } catch (error) {
      if (error instanceof PublicError) return `${error.code} ${error.retryAfterSeconds}`;
      throw error;
    }
    return undefined;
  };
  test("bounds what one partner and what all have in flight, and is given back whole", () => {
    const budget = new BodyBudget({ perNameBytes: 100, totalBytes: 250 });
    const [first, second, others] = [budget.hold("a"), budget.hold("a"), budget.hold("b")];
    first.grow(60);
    expect(refusal(() => second.grow(41))).toBe("rate_limited 1");
    second.grow(40);
    others.grow(100);
    const late = budget.hold("c");
    expect(refusal(() => late.grow(51))).toBe("overloaded 1");
    late.grow(50);
    first.release();
    first.release();
    expect(refusal(() => second.grow(60))).toBeUndefined();
    for (const hold of [second, others, late]) hold.release();
    expect(refusal(() => budget.hold("a").grow(100))).toBeUndefined();
    expect(refusal(() => budget.hold("b").grow(100))).toBeUndefined();
    expect(refusal(() => budget.hold("c").grow(51))).toBe("overloaded 1");
  });
});

describe("the router", () => {
  const router = new Router<string>();
  for (const entry of [
    "GET /messages",
    "POST /messages",
    "POST /messages/batch",
    "GET /messages/:id",
    "GET /messages/:id/timeline",
  ]) {
    const [method, path] = entry.split(" ") as [string, string];
    router.add(method, path, entry);
  }
  const target = (method: string, path: string) => {
    const match = router.match(method, path);
    return match.kind === "found"
      ? [match.target, { ...match.params }]
      : match.kind === "method_not_allowed"
        ? match.allow
        : match.kind;
  };
  test("prefers literals, decodes parameters and answers HEAD by GET", () => {
    expect(target("POST", "/messages/batch")).toEqual(["POST /messages/batch", {}]);
    expect(target("GET", "/messages/a%2Fb/timeline")).toEqual([
      "GET /messages/:id/timeline",
      { id: "a/b" },
    ]);
    expect(target("HEAD", "/messages")).toEqual(["GET /messages", {}]);
    expect(target("GET", "/messages/batch")).toBe("POST");
  });
  test("tells what is allowed from what is not there", () => {
    expect(target("DELETE", "/messages")).toBe("GET, HEAD, POST");
    for (const path of [
      "/",
      "/message",
      "/messages/",
      "/messages//timeline",
      "/messages/1/timeline/2",
      "/messages/%ff",
      "messages",
    ])
      expect(target("GET", path)).toBe("not_found");
  });
  test("refuses an entry that is there twice", () => {
    expect(() => router.add("GET", "/messages", "again")).toThrow("twice");
    expect(() => router.add("GET", "/messages/:message", "again")).toThrow(":id");
  });
});

test("a cursor is taken back only unchanged and for its own list", () => {
  const secret = randomBytes(32);
  const cursor = encodeCursor(secret, "messages ptn_1", { at: 5 });
  expect(decodeCursor(secret, "messages ptn_1", cursor)).toEqual({ at: 5 });
  const changed = cursor.slice(0, -2) + (cursor.endsWith("A") ? "B" : "A") + cursor.slice(-1);
  for (const [scope, text] of [
    ["messages ptn_2", cursor],
    ["messages ptn_1", changed],
    ["messages ptn_1", ""],
    ["messages ptn_1", "????"],
  ] as const)
    expect(() => decodeCursor(secret, scope, text)).toThrow(PublicError);
});

test("an idempotency key may be bare or quoted, of 1 to 255 visible ASCII characters", () => {
  expect(
    ["abc", '"abc"', '"a\\"b"', "x".repeat(255)].map((key) => parseIdempotencyKey(key)),
  ).toEqual(["abc", "abc", 'a"b', "x".repeat(255)]);
  for (const key of ["", '""', "a b", "a\tb", "é", "x".repeat(256)])
    expect(() => parseIdempotencyKey(key)).toThrow(PublicError);
});

test("request ids from outside are harmless or replaced", () => {
  expect(requestId("abc-1.2:3")).toBe("abc-1.2:3");
  const made = [undefined, "", "a b", "<x>", "x".repeat(129)].map(requestId);
  expect(new Set(made).size).toBe(5);
  for (const id of made) expect(id).toMatch(/^req_[0-9a-f]{32}$/);
});

test("extra members of a problem never replace the standard ones", () => {
  const problem = problemOf(
    new PublicError("conflict", "no", { extra: { status: "x", hint: 1 } }),
    "req_1",
    "/p",
    "https://api.example.com",
  );
  expect(problem).toMatchObject({
    status: 409,
    code: "conflict",
    detail: "no",
    hint: 1,
    request_id: "req_1",
    instance: "/p",
    doc_url: "https://api.example.com/errors/conflict",
  });
});
