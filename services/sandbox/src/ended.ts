import { type EventData, failpoint, spaceAfter, streamOf, uuid5 } from "@heliograph/contracts";
import type { Append, RecordedEvent } from "@heliograph/log";
import { pause, type PlatformContext, reactor } from "@heliograph/runtime";

/** The space that a reset ended. Two resets at once are one, and so is what they end: its id follows from the space. */
function endOf({ id, data, metadata }: RecordedEvent<"SandboxReset">): Append {
  const space = spaceAfter(data.partner_id, data.resets - 1);
  const ended: EventData<"SpaceEnded"> = { space };
  const { request_id } = metadata;
  return {
    stream: streamOf("sandbox", space),
    expected: "no_stream",
    events: [
      {
        id: uuid5("ended", space),
        type: "SpaceEnded",
        data: ended,
        metadata: {
          partner: space,
          actor: "service:sandbox",
          correlation: space,
          causation: id,
          ...(request_id !== undefined && { request_id }),
        },
      },
    ],
  };
}

/** Tells the sandbox's log of every reset: a consumer of it sees the end of a space where it stands among the space's events, in a rebuild too. */
export const resetsReactor = ({ environments: { sandbox } }: PlatformContext) =>
  reactor({
    kind: "reactor",
    name: "sandbox-resets",
    schema: "sandbox_resets",
    types: ["SandboxReset"],
    migrations: [],
    start: ({ checkpoint }) => ({
      async handle({ events, position }) {
        const appends = events.map(endOf);
        await failpoint("sandbox.before_ended");
        const outcomes = appends.length === 0 ? [] : await sandbox.log.append(appends);
        for (const [index, outcome] of outcomes.entries())
          if (outcome.kind === "invalid")
            throw new Error(`${appends[index]!.stream}: ${outcome.message}`);
        await failpoint("sandbox.after_ended");
        await checkpoint.commit(position);
      },
      stop: async () => undefined,
    }),
  });

/** Keys of devices are the account's. Those of evaluations are in the vault of live. */
const spared = "dev_";
/** Until then what had begun before the end of a space may still seal something in it. */
const settledAfterMs = 5_000;

/**
 * Destroys the keys of a space's personal data, without which nobody can read what the log has of it, and drops kept answers, which are in no consumer's tables. The checkpoint stays before the end of the
 * space until all of that is done: killed in the middle, it is done again.
 */
export const remainsReactor = reactor({
  kind: "reactor",
  name: "sandbox-remains",
  schema: "sandbox_remains",
  types: ["SpaceEnded"],
  spaces: { "ingress.idempotency": "partner" },
  migrations: [],
  start({ context: { vault }, checkpoint, stopping }) {
    async function destroy(spaces: readonly string[]): Promise<void> {
      for (const space of spaces)
        while (await vault.destroySome(space, spared)) await failpoint("sandbox.keys_destroyed");
    }
    return {
      async handle({ events, position }) {
        const spaces = events.map(({ data }) => data.space);
        await destroy(spaces);
        if (spaces.length > 0) {
          await pause(settledAfterMs, stopping);
          if (stopping.aborted) return;
          await destroy(spaces);
        }
        await checkpoint.commit(position);
      },
      stop: async () => undefined,
    };
  },
});
