import { hasScope } from "@heliograph/api";
import type { Who } from "./sessions.ts";

type Entry = { readonly path: string; readonly label: string; readonly scope?: string };
type Group = { readonly label: string; readonly entries: readonly Entry[] };

/** Where one can go. A page that is not here is linked from one that is. */
const groups: readonly Group[] = [
  {
    label: "Messaging",
    entries: [
      { path: "", label: "Overview" },
      { path: "/messages", label: "Messages", scope: "messages:read" },
      { path: "/send", label: "Send", scope: "messages:write" },
      { path: "/templates", label: "Templates", scope: "templates:read" },
    ],
  },
  {
    label: "Money",
    entries: [{ path: "/wallet", label: "Wallet", scope: "wallet:read" }],
  },
];

/** What this agent's role can open. */
export const navOf = ({ scopes }: Who): readonly Group[] =>
  groups
    .map(({ label, entries }) => ({
      label,
      entries: entries.filter(({ scope }) => scope === undefined || hasScope(scopes, scope)),
    }))
    .filter(({ entries }) => entries.length > 0);
