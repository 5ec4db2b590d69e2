import type { Stop, Suppressed } from "@heliograph/acceptance";
import { isSealed } from "@heliograph/vault";
import { isDevice, type TokenOf } from "./devices.ts";
import { createOpener, isErased, type Opened } from "./opened.ts";
import type { State } from "./state.ts";

/** A message may go to its provider, `opened` where it is sealed or goes to a device; or why it may not. */
export type Verdict =
  | { readonly type: "cleared"; readonly opened: Opened | undefined }
  /** Its partner is suspended: it waits. */
  | { readonly type: "held" }
  /** Its sandbox was reset after it: nothing is done for it any more. */
  | { readonly type: "over" }
  | {
      readonly type: "stopped";
      readonly code: "recipient_suppressed" | "contact_erased";
      readonly reason: string;
    }
  /** The country takes no such sender by any gateway: the step ends, and another may follow. */
  | { readonly type: "sender_refused"; readonly reason: string };

const plain: Verdict = { type: "cleared", opened: undefined };

/**
 * Holds a message against what has happened since it was accepted, before each attempt: its recipient may have opted out, or may be erased, or no gateway may go to its country with its sender any more. At once for a plain message to somebody who never
 * opted out, which most are.
 */
export function createClearance(
  vault: Parameters<typeof createOpener>[0],
  suppressed: Pick<Suppressed, "find" | "movedTo">,
  silenceOf: (partner: string | undefined) => "held" | "over" | undefined,
  tokenOf?: TokenOf,
  refusedSender?: (state: State, to: string) => string | undefined,
): (state: State) => Verdict | Promise<Verdict> {
  const open = createOpener(vault);

  /** A device has its token at each attempt: it may be registered anew meanwhile. One that is not known goes as it is, for its provider to refuse. Who has moved is written to where he is now. */
  function addressed(
    { request, requestEvent }: State,
    opened?: Opened,
  ): Verdict | Promise<Verdict> {
    const readable: Verdict = opened === undefined ? plain : { type: "cleared", opened };
    const { to, content } = opened ?? request;
    const partner = requestEvent.metadata.partner ?? "";
    const instead = (other: string | undefined): Verdict =>
      other === undefined ? readable : { type: "cleared", opened: { to: other, content } };
    if (tokenOf !== undefined && isDevice(request.channel, to))
      return tokenOf(partner, to).then(instead);
    const now = suppressed.movedTo(partner, { channel: request.channel, to });
    return now instanceof Promise ? now.then(instead) : instead(now);
  }

  function held(state: State, opened: Opened | undefined): Verdict | Promise<Verdict> {
    const { request, requestEvent } = state;
    const reason = refusedSender?.(state, opened?.to ?? request.to);
    if (reason !== undefined) return { type: "sender_refused", reason };
    // An answer to a keyword goes out although it is about that very suppression.
    if (request.keyword !== undefined) return addressed(state, opened);
    const sent = opened === undefined ? request : { ...request, ...opened };
    const found = suppressed.find(requestEvent.metadata.partner ?? "", sent);
    const verdict = (stop: Stop | undefined): Verdict | Promise<Verdict> =>
      stop === undefined
        ? addressed(state, opened)
        : {
            type: "stopped",
            code: "recipient_suppressed",
            reason: `${stop.id} (${stop.reason}) stops what is sent to the recipient`,
          };
    return found instanceof Promise ? found.then(verdict) : verdict(found);
  }

  return (state) => {
    const { request, requestEvent } = state;
    const silence = silenceOf(requestEvent.metadata.partner);
    if (silence !== undefined) return { type: silence };
    if (!isSealed(request.to)) return held(state, undefined);
    return open(request).then((opened) =>
      isErased(request, opened)
        ? {
            type: "stopped",
            code: "contact_erased",
            reason: "the contact that it was for is erased",
          }
        : held(state, opened),
    );
  };
}
