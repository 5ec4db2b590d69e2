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
      { path: "/batch", label: "Batch", scope: "messages:write" },
      { path: "/broadcasts", label: "Broadcasts", scope: "broadcasts:read" },
      { path: "/templates", label: "Templates", scope: "templates:read" },
    ],
  },
  {
    label: "People",
    entries: [
      { path: "/contacts", label: "Contacts", scope: "contacts:read" },
      { path: "/conversations", label: "Conversations", scope: "conversations:read" },
    ],
  },
  {
    label: "Money",
    entries: [
      { path: "/wallet", label: "Wallet", scope: "wallet:read" },
      { path: "/usage", label: "Usage", scope: "usage:read" },
    ],
  },
  {
    label: "Integration",
    entries: [
      { path: "/webhooks", label: "Webhooks", scope: "webhooks:read" },
      { path: "/events", label: "Events", scope: "events:read" },
      { path: "/gateways", label: "Gateways", scope: "gateways:read" },
      { path: "/routing", label: "Routing", scope: "gateways:read" },
      { path: "/sandbox", label: "Sandbox", scope: "sandbox:write" },
    ],
  },
  {
    label: "Account",
    entries: [
      { path: "/keys", label: "Keys", scope: "keys:read" },
      { path: "/team", label: "Team", scope: "agents:read" },
      { path: "/limits", label: "Limits", scope: "limits:read" },
      { path: "/audit", label: "Audit", scope: "audit:read" },
    ],
  },
  {
    label: "Platform",
    entries: [
      { path: "/partners", label: "Partners", scope: "admin" },
      { path: "/prices", label: "Prices", scope: "admin" },
      { path: "/backtests", label: "Backtests", scope: "admin" },
      { path: "/forks", label: "Forks", scope: "admin" },
      { path: "/evaluations", label: "Evaluations", scope: "admin" },
      { path: "/projections", label: "Projections", scope: "admin" },
      { path: "/dead-letters", label: "Dead letters", scope: "admin" },
      { path: "/log", label: "Log", scope: "admin" },
    ],
  },
];

/** `g` and then this letter, or this digit since all letters have a page, leads there. */
const letters: Readonly<Record<string, string>> = {
  "": "o",
  "/messages": "m",
  "/send": "s",
  "/batch": "b",
  "/broadcasts": "f",
  "/templates": "t",
  "/contacts": "c",
  "/conversations": "i",
  "/wallet": "w",
  "/usage": "u",
  "/webhooks": "h",
  "/events": "e",
  "/gateways": "g",
  "/routing": "r",
  "/sandbox": "x",
  "/keys": "k",
  "/team": "p",
  "/limits": "l",
  "/audit": "a",
  "/partners": "n",
  "/prices": "q",
  "/backtests": "z",
  "/forks": "2",
  "/evaluations": "v",
  "/projections": "j",
  "/dead-letters": "d",
  "/log": "y",
};
export const goOf = (path: string): string | undefined => letters[path];

/** What this agent's role can open. */
export const navOf = ({ scopes }: Who): readonly Group[] =>
  groups
    .map(({ label, entries }) => ({
      label,
      entries: entries.filter(({ scope }) => scope === undefined || hasScope(scopes, scope)),
    }))
    .filter(({ entries }) => entries.length > 0);
