// What the README shows, compiled.
import { ownFiles } from "../src/index.ts";
import type { Prices } from "../src/live.ts";
import { buildSite } from "../src/site.ts";

declare const prices: Prices;

export function example(): string {
  const site = buildSite(ownFiles, {
    site: "https://www.example.com",
    api: "https://api.example.com",
  });
  const pricing = site.page(site.entries.get("/pricing")!, { prices });
  return pricing;
}
