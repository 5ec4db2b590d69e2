import { afterAll, beforeAll, expect, test } from "vitest";
import { openPeople } from "./people.ts";

let proxied: Awaited<ReturnType<typeof openPeople>>;
beforeAll(async () => {
  proxied = await openPeople({ HELIOGRAPH_TRUST_PROXY: "127.0.0.1/32" });
});
afterAll(() => proxied.world.close());

test("Time and lockout tell: a score of wrong tries shuts a stranger's place out, not the owner at hers", async () => {
  const { world, add, trySignIn } = proxied;
  const { key } = await world.addPartner();
  const ann = await add(key);
  const from = (ip: string) => ({ "x-forwarded-for": ip });
  expect((await trySignIn(ann.email, {}, from("192.0.2.1"))).status).toBe(201);
  const statuses: number[] = [];
  for (let round = 0; round < 23; round++)
    statuses.push((await trySignIn(ann.email, { password: "guess" }, from("198.51.100.7"))).status);
  expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
  expect(statuses.at(-1)).toBe(429);
  // The right password does not help there either: nobody learns that it is.
  expect((await trySignIn(ann.email, {}, from("198.51.100.7"))).status).toBe(429);
  for (let place = 0; place < 9; place++)
    for (let round = 0; round < 19; round++)
      await trySignIn(ann.email, { password: "guess" }, from(`203.0.113.${place}`));
  expect((await trySignIn(ann.email, {}, from("203.0.113.99"))).status).toBe(429);
  expect((await trySignIn(ann.email, {}, from("192.0.2.1"))).status).toBe(201);
  const unknown: number[] = [];
  for (let round = 0; round < 23; round++)
    unknown.push((await trySignIn("nobody@example.org", {}, from("198.51.100.8"))).status);
  expect(unknown).toEqual(statuses);
});

test("who signs in has taken no try from the place, however many do", async () => {
  const { world, add, trySignIn } = proxied;
  const { key } = await world.addPartner();
  const ann = await add(key);
  const headers = { "x-forwarded-for": "192.0.2.77" };
  for (let round = 0; round < 3; round++)
    expect((await trySignIn(ann.email, {}, headers)).status).toBe(201);
  const left = async (): Promise<number | null> =>
    (
      await world.platform.platformPool.query(
        "select count(*)::int as n from credentials.limits where key like '%192.0.2.77' and tat > clock_timestamp()",
      )
    ).rows[0].n;
  expect(await left()).toBe(0);
  await trySignIn(ann.email, { password: "wrong" }, headers);
  expect(await left()).toBe(2);
});
