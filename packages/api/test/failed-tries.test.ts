import { PublicError } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { networkOf, placeOf } from "../src/addresses.ts";
import { FailedTries } from "../src/failed-tries.ts";

const wrong = new PublicError("invalid_key", "The API key is not known.");

/** The code and the wait of a failure from an address. */
function told(tries: FailedTries, ip: string, failure: unknown = wrong): string {
  const { code, retryAfterSeconds = 0 } = tries.refusal(failure, ip) as PublicError;
  return `${code} ${retryAfterSeconds}`;
}

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["[::ffff:192.0.2.1]:4711", "192.0.2.1"],
  ["192.0.2.1:80", "192.0.2.1"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:DB8:0:0:ffff::2", "2001:db8:0:0::/64"],
  ["[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unknown", "unknown"],
  ["x".repeat(500), "unknown"],
  ["", "unknown"],
])("%s is limited as %s", (ip, block) => {
  expect(placeOf(ip)).toBe(block);
});

test.each([
  ["::ffff:192.0.2.1", 24, 48, "192.0.2/24"],
  ["192.0.2.1:80", 16, 32, "192.0/16"],
  ["2001:db8:1:2::1", 24, 48, "2001:db8:1::/48"],
  ["2001:db8:1:2::1", 16, 32, "2001:db8::/32"],
  ["10.1", 24, 48, "unknown"],
])("%s is in the block of %i or %i bits %s", (ip, ipv4, ipv6, block) => {
  expect(networkOf(ip, { ipv4, ipv6 })).toBe(block);
});

test("a /64 is one bucket however many addresses it has, and a mapped address is the plain one", () => {
  let now = 0;
  const tries = new FailedTries(() => now);
  for (let index = 0; index < 600; index++)
    expect(told(tries, `2001:db8:1:2::${index.toString(16)}`)).toBe("invalid_key 0");
  expect(told(tries, "2001:db8:1:2:ffff::1")).toBe("rate_limited 1");
  expect(told(tries, "2001:db8:1:3::1")).toBe("invalid_key 0");
  for (let index = 0; index < 300; index++) {
    told(tries, "192.0.2.1");
    told(tries, "::ffff:192.0.2.1");
  }
  expect(told(tries, "192.0.2.1")).toBe("rate_limited 1");
  // Who waits as long as it was told is heard again.
  now = 1_000;
  expect(told(tries, "192.0.2.1")).toBe("invalid_key 0");
});

test("what is no guess is not counted", () => {
  const tries = new FailedTries(() => 0);
  const missing = new PublicError("authentication_required", "Send your API key.");
  for (let index = 0; index < 700; index++)
    expect(told(tries, "192.0.2.1", missing)).toBe("authentication_required 0");
  const bug = new Error("bug");
  expect(tries.refusal(bug, "192.0.2.1")).toBe(bug);
  expect(tries.size).toBe(0);
});

test("remembers a bounded number of addresses, and those that failed last", () => {
  const tries = new FailedTries(() => 0);
  for (let index = 0; index < 600; index++) told(tries, "192.0.2.1");
  for (let index = 0; index < 120_000; index++) {
    // From some time on it has been refused, which it is again.
    if (index === 40_000) expect(told(tries, "192.0.2.1")).toBe("rate_limited 1");
    told(tries, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    if (tries.size > 100_000) throw new Error(`${tries.size} addresses are remembered`);
  }
  expect(told(tries, "192.0.2.1")).toBe("invalid_key 0");
});
