import { base } from "./page.ts";

/** Stands for ourselves where an address is read; no host has this name (RFC 2606). */
const here = "http://console.invalid";

/**
 * Where an address that came with a request may lead: to a page of ours, with its query; anything else leads to the overview. It is read as a browser reads it, which takes `\\` for
 * `/` and drops control characters, and what is given is what was read.
 */
export function ownPath(text: string): string {
  const url = URL.parse(text, here);
  const own = url?.origin === here && /^\/console(?:\/[\w-][\w.~-]*)*$/.test(url.pathname);
  return own ? url.pathname + url.search : base;
}
