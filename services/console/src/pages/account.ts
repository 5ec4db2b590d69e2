import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Page } from "../page.ts";
import { bdi, pill, time } from "../view/parts.ts";
import { listPage } from "./lists.ts";

type Key = Answers["Key"];
type Agent = Answers["Agent"];
type AuditRow = Answers["AuditEntry"];

const keys = listPage<Key>({
  path: "/keys",
  title: "Keys",
  from: "/keys",
  columns: () => [
    { label: "Name", cell: ({ name }) => bdi(name) },
    { label: "Begins with", cell: ({ prefix }) => html`<code>${prefix}</code>` },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "May do", cell: ({ scopes }) => scopes.join(", ") },
    { label: "Last used", cell: ({ last_used_at }) => time(last_used_at) },
    { label: "Ends", cell: ({ expires_at }) => time(expires_at) },
  ],
  none: [
    "No key yet",
    html`A key is how a program of yours signs in. <code>POST /keys</code> issues one, no stronger than whoever asks.`,
  ],
});

const team = listPage<Agent>({
  path: "/team",
  title: "Team",
  from: "/agents",
  columns: () => [
    { label: "Name", cell: ({ name }) => bdi(name) },
    { label: "E-mail", cell: ({ email }) => bdi(email) },
    { label: "Role", cell: ({ role }) => role },
    { label: "Status", cell: ({ status }) => pill(status) },
    { label: "Works in", cell: ({ environments }) => environments.join(", ") },
  ],
  none: [
    "Nobody here yet",
    html`<code>POST /agents</code> with a name, an address and a role sends an invitation.`,
  ],
});

const audit = listPage<AuditRow>({
  path: "/audit",
  title: "Audit",
  from: "/audit",
  lead: "Who did what, and what was refused, newest first.",
  filters: [
    { name: "actor", label: "Actor", type: "search" },
    { name: "action", label: "Action", type: "search", placeholder: "POST /messages" },
  ],
  columns: () => [
    { label: "When", cell: ({ at }) => time(at) },
    { label: "Who", cell: ({ actor }) => html`<code>${actor}</code>` },
    { label: "What", cell: ({ action }) => html`<code>${action}</code>` },
    { label: "On", cell: ({ target }) => html`<code>${target}</code>` },
    {
      label: "Outcome",
      cell: ({ outcome, code }) =>
        html`<span class="pill ${outcome < 400 ? "good" : "bad"}">${outcome}${code !== null && html` ${code}`}</span>`,
    },
    { label: "Times", figures: true, cell: ({ count }) => count },
    { label: "From", cell: ({ ip }) => ip },
  ],
  none: [
    "Nothing was done yet",
    "Every call that changes something, and every call that was refused, is a line here.",
  ],
});

export const accountPages: readonly Page[] = [keys, team, audit];
