import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { base } from "./page.ts";

type Asset = { readonly type: string; readonly body: Buffer };

const read = (name: string): Buffer => readFileSync(new URL(`view/${name}`, import.meta.url));
const pathOf = (name: string, ending: string, body: Buffer): string =>
  `${base}/assets/${name}.${hash("sha256", body, "hex").slice(0, 16)}.${ending}`;

const style = read("style.css");
const icon = read("icon.svg");
// As it is read in a browser: without its comments and the blanks before its lines.
const script = Buffer.from(
  read("live.js")
    .toString()
    .replaceAll(/^\s*(?:\/\/.*|\/\*\*.*\*\/)?\n?\s*/gm, ""),
);

export const stylePath = pathOf("style", "css", style);
export const scriptPath = pathOf("live", "js", script);
export const iconPath = pathOf("icon", "svg", icon);

/** By their addresses, which change with what they hold. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  [stylePath, { type: "text/css; charset=utf-8", body: style }],
  [scriptPath, { type: "text/javascript; charset=utf-8", body: script }],
  [iconPath, { type: "image/svg+xml", body: icon }],
]);
