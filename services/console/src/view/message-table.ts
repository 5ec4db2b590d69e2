import { html, type Html } from "@heliograph/html";
import { base } from "../page.ts";
import type { MessageSummary } from "../shapes.ts";
import { bdi, money, pill, table, time } from "./parts.ts";

export const messageTable = (caption: string, rows: readonly MessageSummary[]): Html =>
  table(
    caption,
    [
      { label: "To", cell: ({ id, to }) => html`<a href="${base}/messages/${id}">${bdi(to)}</a>` },
      { label: "Status", cell: ({ status }) => pill(status) },
      { label: "Channel", cell: ({ channel }) => channel },
      { label: "Cost", figures: true, cell: ({ cost, currency }) => money(cost, currency) },
      { label: "Made", cell: ({ created_at }) => time(created_at) },
    ],
    rows,
  );
