import { join } from "node:path";
import { environments } from "@heliograph/contracts";
import { hosted, type ApiContext, type Hosted } from "@heliograph/api";
import { folderStore } from "./folder.ts";
import { s3Store } from "./s3.ts";
import { sweepAttachments } from "./sweep.ts";
import type { Attachments } from "./upload.ts";

const sweepEveryMs = 60_000;

type State = Attachments & Hosted & { sweep(): Promise<void> };

/** What the routes of attachments share in a process. Each sweeps what is left of uploads that were cut off and of attachments that were removed; doing so twice changes nothing. */
export const attachments = hosted(async (context: ApiContext): Promise<State> => {
  const { attachmentsUrl, attachmentsQuotaBytes, dataDir } = context.settings;
  const root = join(dataDir, "attachments");
  const shared: Attachments = {
    store: attachmentsUrl === undefined ? folderStore(root) : s3Store(attachmentsUrl),
    // On the folder's own file system: a file is renamed into its place.
    spool: join(root, "incoming"),
    quotaBytes: attachmentsQuotaBytes,
  };
  let sweeping: Promise<void> = Promise.resolve();
  const pools = environments.map((name) => context.environments[name].pool);
  const sweep = (): Promise<void> =>
    (sweeping = sweeping.then(() => sweepAttachments(pools, shared, Date.now())));
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
