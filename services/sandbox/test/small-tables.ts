/** Tables of an environment that may be read from end to end, by what their rows are: nothing of them grows with messages. */
const small: Readonly<Record<string, readonly string[]>> = {
  "one row, or one for each consumer, release, copy, gateway, reset or file of the archive": [
    "log.head",
    "log.archives",
    "log.archive_identity",
    "vault.naming",
    "runtime.division",
    "runtime.consumers",
    "gateways.trouble",
    "*.checkpoint",
    "*.migrations",
    "*.ended_spaces",
  ],
  "bounded, the oldest go": ["delivery.parked", "provider_callbacks.parked"],
  "what is under way, or was when its process ended": ["dispatch.intents", "mobile_push.pushes"],
  "read once at a start, into memory": [
    "assignment.facts",
    "webhooks.endpoints",
    "webhooks.sequences",
    "webhooks.failing",
    "webhooks.set_backs",
  ],
  "what somebody asks for by hand; looked through once a minute or less, or only the newest are kept":
    [
      "broadcasts.broadcasts",
      "contact_imports.imports",
      "contact_imports.chunks",
      "forks.runs",
      "backtests.runs",
      "sessions.sessions",
    ],
};
const names = new Set(Object.values(small).flat());

export const isSmall = (table: string): boolean =>
  names.has(table) || names.has(`*.${table.split(".")[1]}`);
