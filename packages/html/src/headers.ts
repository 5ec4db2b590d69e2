type Loads = "style" | "script" | "img" | "connect";
type PageNeeds = {
  /** What a page loads, from our own origin; nothing else is loaded, and nothing inline counts. */
  readonly loads: readonly Loads[];
  /** Whom a link tells which page it is on. */
  readonly referrer: "no-referrer" | "same-origin" | "strict-origin-when-cross-origin";
};

/** What every page has, whoever serves it: forms lead to ourselves, and nobody frames us. */
export const pageHeaders = ({ loads, referrer }: PageNeeds): Readonly<Record<string, string>> => ({
  "Content-Security-Policy": [
    "default-src 'none'",
    ...loads.map((what) => `${what}-src 'self'`),
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join("; "),
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": referrer,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
});
