import type { Page } from "../page.ts";
import { auditPages } from "./audit.ts";
import { eventPages } from "./events.ts";
import { forkPages } from "./forks.ts";
import { evaluationPages } from "./evaluations.ts";
import { gatewayPages } from "./gateways.ts";
import { keyPages } from "./keys.ts";
import { limitPages } from "./limits.ts";
import { logPages } from "./log.ts";
import { mePages } from "./me.ts";
import { teamPages } from "./team.ts";
import { teamsPages } from "./teams.ts";
import { contactActions } from "./contact-actions.ts";
import { contactChanges } from "./contact-changes.ts";
import { contactImports } from "./contact-import.ts";
import { contactMerges } from "./contact-merge.ts";
import { contactPages } from "./contacts.ts";
import { conversationActions } from "./conversation-actions.ts";
import { conversationPages } from "./conversations.ts";
import { backtestPages } from "./backtests.ts";
import { batchPages } from "./batch.ts";
import { broadcastPages } from "./broadcasts.ts";
import { messagePages } from "./messages.ts";
import { overviewPages } from "./overview.ts";
import { partnerPages } from "./partners.ts";
import { pricePages } from "./prices.ts";
import { projectionPages } from "./projections.ts";
import { routingPages } from "./routing.ts";
import { sandboxPages } from "./sandbox.ts";
import { senderPoolPages } from "./sender-pools.ts";
import { senderRulePages } from "./sender-rules.ts";
import { sendPages } from "./send.ts";
import { shortcutPages } from "./shortcuts.ts";
import { templateWritingPages } from "./template-writing.ts";
import { templatePages } from "./templates.ts";
import { usagePages } from "./usage.ts";
import { walletPages } from "./wallet.ts";
import { webhookPages } from "./webhooks.ts";

/** Every page there is. What is not here is linked from nowhere. */
export const allPages: readonly Page[] = [
  ...overviewPages,
  ...messagePages,
  ...sendPages,
  ...batchPages,
  ...broadcastPages,
  ...templatePages,
  ...templateWritingPages,
  ...contactPages,
  ...contactChanges,
  ...contactMerges,
  ...contactActions,
  ...contactImports,
  ...conversationPages,
  ...conversationActions,
  ...walletPages,
  ...webhookPages,
  ...usagePages,
  ...eventPages,
  ...gatewayPages,
  ...routingPages,
  ...senderPoolPages,
  ...senderRulePages,
  ...backtestPages,
  ...forkPages,
  ...sandboxPages,
  ...keyPages,
  ...teamPages,
  ...teamsPages,
  ...mePages,
  ...limitPages,
  ...auditPages,
  ...shortcutPages,
  ...partnerPages,
  ...pricePages,
  ...evaluationPages,
  ...projectionPages,
  ...logPages,
];
