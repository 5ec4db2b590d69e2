import { html, type Html, type Shown } from "@heliograph/html";

/**
 * A part of a page that is kept up to date while somebody looks at it. `on` names what it depends on, separated by blanks:
 * - the beginning of the type of a lifecycle event: `message`, `conversation`, `wallet.low_balance`;
 * - an id or an address that such an event may name: `msg_…`, `cnv_…`, `+1555…` (`addressed`);
 * - `tick`: nothing tells of it, so it is read again every two seconds. For progress; empty once that is over.
 *
 * It stands in no other region, and holds no field that somebody writes into.
 */
export const live = (name: string, on: string, body: Shown): Html =>
  html`<div class="region" id="live-${name}" data-live="${on}">${body}</div><!--/live-${name}-->`;

/** An address as a word of `on`; none where it is written with signs that a page or an event writes in another way. */
export const addressed = (address: string): readonly string[] =>
  /^[\w+@.:-]+$/.test(address) ? [address] : [];

export type Region = { readonly id: string; readonly on: string; readonly text: string };

// What strangers wrote is escaped in a page: it can neither begin nor end a region.
const regions =
  /<div class="region" id="(live-[\w-]+)" data-live="([^"]*)">[\s\S]*?<\/div><!--\/\1-->/g;

export const regionsIn = (page: string): readonly Region[] =>
  [...page.matchAll(regions)].map(([text, id, on]) => ({ id: id!, on: on!, text }));
