import { pageHeaders } from "@heliograph/html";

/** What every answer of the site has, whoever serves it. */
export const securityHeaders = pageHeaders({
  loads: ["style", "img"],
  referrer: "strict-origin-when-cross-origin",
});

/** Only where the site itself is behind TLS: an hour's mistake with it lasts a year. */
export const transportSecurity = "max-age=31536000";

const immutable = "public, max-age=31536000, immutable";
const fresh = "public, max-age=300";

/** The style has its hash in its name; everything else is asked for again after five minutes, and that costs a 304. */
export const cacheOf = (path: string): string => (path.startsWith("/style-") ? immutable : fresh);
