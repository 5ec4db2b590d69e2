import type { Page } from "../page.ts";
import { accountPages } from "./account.ts";
import { integrationPages } from "./integration.ts";
import { messagePages } from "./messages.ts";
import { overviewPages } from "./overview.ts";
import { sendPages } from "./send.ts";
import { templatePages } from "./templates.ts";
import { walletPages } from "./wallet.ts";

/** Every page there is. What is not here is linked from nowhere. */
export const allPages: readonly Page[] = [
  ...overviewPages,
  ...messagePages,
  ...sendPages,
  ...templatePages,
  ...walletPages,
  ...integrationPages,
  ...accountPages,
];
