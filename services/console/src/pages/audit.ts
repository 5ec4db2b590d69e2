import { html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Page } from "../page.ts";
import { time } from "../view/parts.ts";
import { listPage } from "./lists.ts";

type AuditRow = Answers["AuditEntry"];

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

export const auditPages: readonly Page[] = [audit];
