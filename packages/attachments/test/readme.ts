// What the README shows, compiled.
import { disposition } from "../src/names.ts";
import { isPassive, sniff } from "../src/sniff.ts";

export function example(): readonly string[] {
  const type = sniff(Buffer.from("<svg onload='alert(1)'/>")); // "image/svg+xml", whatever was declared
  const header = disposition(isPassive(type) ? "inline" : "attachment", "한글.svg");
  return [type, header];
}
