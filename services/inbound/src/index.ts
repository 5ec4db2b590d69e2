import type { Service } from "@heliograph/api";
import { callbackRoutes, turns } from "./api/callbacks.ts";
import { sandboxRoutes } from "./api/sandbox.ts";
import { senderRoutes } from "./api/senders.ts";
import { openMailListener } from "./mail/listener.ts";

/** What comes from people: stored once, as it came, before anybody asks whose it is. */
export const service: Service = {
  name: "inbound",
  api: {
    groups: [
      {
        tag: "inbound",
        description: "What comes from people: stored once, as it came.",
        routes: [...sandboxRoutes, ...senderRoutes, ...callbackRoutes],
      },
    ],
    async open(context) {
      const listener = await openMailListener(context);
      return { used: () => turns.others.seen(), close: async () => listener?.close() };
    },
  },
};
