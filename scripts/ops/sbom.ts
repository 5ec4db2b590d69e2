import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Dependency, partsOf, readDependencies } from "../shared/dependencies.ts";
import { sayTable } from "../shared/table.ts";

const root = new URL("../../", import.meta.url).pathname;

type Product = { readonly name: string; readonly version: string; readonly license: string };

/** Package URL: what is left of a scope's sign is escaped. */
const purlOf = (name: string, version: string): string =>
  `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
const refOf = (key: string): string => {
  const { name, version } = partsOf(key);
  return purlOf(name, version);
};
const licencesOf = (licence: string) =>
  /[\s()]/.test(licence) ? [{ expression: licence }] : [{ license: { id: licence } }];

/** The lockfile has it in base64, the bill in hexadecimal. */
function hashesOf(integrity: string | undefined) {
  const [, text] = /^sha512-(\S+)$/.exec(integrity ?? "") ?? [];
  if (text === undefined) return {};
  return { hashes: [{ alg: "SHA-512", content: Buffer.from(text, "base64").toString("hex") }] };
}

function componentOf({ name, version, integrity, licence, isShipped }: Dependency) {
  const [scope, own] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return {
    type: "library",
    "bom-ref": purlOf(name, version),
    ...(scope !== undefined && { group: scope }),
    name: own,
    version,
    purl: purlOf(name, version),
    scope: isShipped ? "required" : "excluded",
    ...hashesOf(integrity),
    ...(licence !== undefined && { licenses: licencesOf(licence) }),
  };
}

/** A CycloneDX bill of what a release consists of. The same lockfile gives the same bytes on the same kind of machine, its serial number among them, so that two bills can be compared. */
export function billOf({ name, version, license }: Product, dependencies: readonly Dependency[]) {
  const sorted = dependencies.toSorted((one, other) => {
    const [left, right] = [one, other].map((each) => `${each.name}@${each.version}`);
    return left! < right! ? -1 : 1;
  });
  const own = `pkg:generic/${name}@${version}`;
  const components = sorted.map(componentOf);
  const listed = new Set(components.map((each) => each["bom-ref"]));
  const known = (keys: readonly string[]) => keys.map(refOf).filter((ref) => listed.has(ref));
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([own, components]))}`,
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own,
        name,
        version,
        licenses: licencesOf(license),
      },
    },
    components,
    dependencies: [
      {
        ref: own,
        dependsOn: sorted
          .filter(({ isDirect }) => isDirect)
          .map((each) => purlOf(each.name, each.version)),
      },
      ...sorted.map((each) => ({
        ref: purlOf(each.name, each.version),
        dependsOn: known(each.needs),
      })),
    ],
  };
}

/** A UUID of the form that says it is made of a hash (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const digits = hash("sha256", text, "hex");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}

const selected = (all: boolean): readonly Dependency[] =>
  readDependencies(root).filter(({ isShipped }) => all || isShipped);

/** Prints the bill; with `all`, of what builds and tests, too. */
export function sayBill(all: boolean): void {
  const product = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Product;
  process.stdout.write(`${JSON.stringify(billOf(product, selected(all)), undefined, 2)}\n`);
}

/** Prints every package with its licence; with `all`, those that build and test, too. */
export function sayLicences(all: boolean): void {
  const rows = selected(all).map(({ name, version, licence, isShipped, isOptional }) => [
    name,
    version,
    licence ?? (isOptional ? "not installed on this machine" : "none named"),
    isShipped ? "runs" : "builds and tests",
  ]);
  sayTable([["package", "version", "licence", "part of what"], ...rows]);
}
