import { html, type Html } from "@heliograph/html";
import { live } from "../live/region.ts";

type Given = {
  readonly going: boolean;
  /** The page's own address, for whoever runs no scripts. */
  readonly here: string;
  readonly body: Html;
};

/**
 * How far something is that takes a while: while it goes on it is read again every two seconds, and the bar of the page pauses that. No page reloads itself: that would
 * count as use of the session, which ends where nobody sits there.
 */
export const progress = ({ going, here, body }: Given): Html =>
  live(
    "progress",
    going ? "tick" : "",
    html`${body}${going && html`<p class="bar"><a class="go" href="${here}">Look again</a></p>`}`,
  );
