import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { base } from "./page.ts";

type Asset = { readonly type: string; readonly body: Buffer };

const read = (name: string): Buffer => readFileSync(new URL(`view/${name}`, import.meta.url));
const pathOf = (name: string, ending: string, body: Buffer): string =>
  `${base}/assets/${name}.${hash("sha256", body, "hex").slice(0, 16)}.${ending}`;

const style = read("style.css");
const icon = read("icon.svg");

export const stylePath = pathOf("style", "css", style);
export const iconPath = pathOf("icon", "svg", icon);

/** By their addresses, which change with what they hold. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  [stylePath, { type: "text/css; charset=utf-8", body: style }],
  [iconPath, { type: "image/svg+xml", body: icon }],
]);
