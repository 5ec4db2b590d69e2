import { hosted, type ApiContext, type Hosted } from "@heliograph/api";
import { attachmentsIn, sweepAttachments, type Attachments } from "@heliograph/attachments";
import { environments } from "@heliograph/contracts";

const sweepEveryMs = 60_000;

type State = Attachments & Hosted & { sweep(): Promise<void> };

/** What the routes of attachments share in a process. Each sweeps what is left of uploads that were cut off, what was removed, and what came with messages too long ago; doing so twice changes nothing. */
export const attachments = hosted(async (context: ApiContext): Promise<State> => {
  const shared = attachmentsIn(context.settings);
  const { attachmentsReceivedDays: days } = context.settings;
  let sweeping: Promise<void> = Promise.resolve();
  const swept = environments.map((name) => context.environments[name]);
  const sweep = (): Promise<void> =>
    (sweeping = sweeping.then(() => sweepAttachments(swept, shared, Date.now(), days)));
  const timer = setInterval(() => {
    sweep().catch((error: unknown) => {
      sweeping = Promise.resolve();
      context.logger.warn({ err: error }, "attachments were not swept");
    });
  }, sweepEveryMs);
  return {
    ...shared,
    sweep,
    async close() {
      clearInterval(timer);
      await sweeping.catch(() => undefined);
    },
  };
});
