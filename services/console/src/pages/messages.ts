import { html } from "@heliograph/html";
import { base, shown, type Page, type Shown, type Visit } from "../page.ts";
import type { List, MessageSummary } from "../shapes.ts";
import { live } from "../live/region.ts";
import { onePage } from "./message.ts";
import { messageTable } from "../view/message-table.ts";
import { curl, empty, field, pages } from "../view/parts.ts";

/** Those that reach one person each. */
export const personChannels = ["sms", "whatsapp", "email", "push", "telegram"];
export const channels = [...personChannels, "broadcast"];
const statuses = [
  "scheduled",
  "queued",
  "sent",
  "delivered",
  "read",
  "failed",
  "bounced",
  "expired",
  "rejected",
  "canceled",
];
const filterNames = ["status", "channel", "to", "tag", "client_ref"];
const pageSize = 50;

async function list(visit: Visit): Promise<Shown> {
  const { api, query } = visit;
  const filters = Object.fromEntries(filterNames.map((name) => [name, query.text(name)]));
  const limit = query.text("limit") || String(pageSize);
  const given = Object.values(filters).some((value) => value !== "");
  const found = await api.get<List<MessageSummary>>("/messages", {
    ...filters,
    after: query.text("after"),
    before: query.text("before"),
    limit,
  });
  const any = (names: readonly string[]): readonly (readonly [string, string])[] => [
    ["", "any"],
    ...names.map((name) => [name, name] as const),
  ];
  const asked = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  return shown(
    "Messages",
    html`<form class="filters" method="get" action="${base}/messages">
${field({ name: "status", label: "Status", value: filters["status"] ?? "", options: any(statuses) })}
${field({ name: "channel", label: "Channel", value: filters["channel"] ?? "", options: any(channels) })}
${field({ name: "to", label: "To", value: filters["to"] ?? "", type: "search" })}
${field({ name: "tag", label: "Tag", value: filters["tag"] ?? "", type: "search" })}
${field({ name: "client_ref", label: "Your reference", value: filters["client_ref"] ?? "", type: "search" })}
${query.text("limit") !== "" && html`<input type="hidden" name="limit" value="${limit}">`}<div class="actions"><button type="submit">Filter</button>${given && html`<a href="${base}/messages">Show all</a>`}</div>
</form>
${live(
  "messages",
  "message",
  html`${
    found.data.length > 0
      ? messageTable("Messages, newest first", found.data)
      : given
        ? empty(
            "No message fits",
            html`Take a filter away, or <a href="${base}/messages">show all</a>.`,
          )
        : empty(
            "No message yet",
            html`<a href="${base}/send">Send one from here</a>, or with a key: <code>POST /messages</code>.`,
          )
  }
${pages(`${base}/messages`, { ...filters, limit: query.text("limit") }, found)}`,
)}
${curl(visit, "GET", `/messages${asked.size > 0 ? `?${asked.toString()}` : ""}`)}`,
  );
}

export const messagePages: readonly Page[] = [
  { method: "GET", path: "/messages", section: "/messages", live: true, answer: list },
  { method: "GET", path: "/messages/:id", section: "/messages", live: true, answer: onePage },
];
