import { openSuppressed } from "@heliograph/acceptance";
import { dialAs, hosted } from "@heliograph/api";
import { attachmentsIn } from "@heliograph/attachments";
import { environments } from "@heliograph/contracts";
import { untilItAnswers } from "@heliograph/runtime";
import { createFetchMedia } from "./fetching.ts";
import { createGetFile } from "./get-file.ts";
import { Sending } from "./sending.ts";

/** How long a connection to where a file is may take. */
const dialMs = 5_000;

const state = hosted(async (context) => {
  const { environments: all, directory, logger } = context;
  const following = new AbortController();
  const broken = (error: unknown): void =>
    logger.error({ err: error }, "the ingress's subscription broke; it starts again");
  const suppressed = {
    live: openSuppressed(all.live, broken),
    sandbox: openSuppressed(all.sandbox, broken),
  };
  const attachments = attachmentsIn(context.settings);
  const getFile = createGetFile(dialAs(context.settings, {}, dialMs));
  const sendingOf = (environment: "live" | "sandbox"): Sending =>
    new Sending(
      environment,
      all[environment],
      directory,
      suppressed[environment],
      context.settings.encryptMessages,
      createFetchMedia(environment, attachments, getFile),
    );
  const sending = { live: sendingOf("live"), sandbox: sendingOf("sandbox") };
  const feeds = await Promise.all(
    environments.map((environment) =>
      untilItAnswers("the event log", context, () =>
        sending[environment].follow(following.signal, broken),
      ),
    ),
  );
  return {
    sending,
    async close() {
      following.abort();
      await Promise.allSettled(feeds.map(({ done }) => done));
      for (const environment of environments) await suppressed[environment].release();
    },
  };
});

/** Opens the memory of both environments and follows their logs. */
export const openSending = state.open;

/** What accepts messages in the environment of the call. */
export const sendingOf = (
  call: Parameters<typeof state.of>[0] & { readonly env: "live" | "sandbox" },
): Sending => state.of(call).sending[call.env];
