import { erasedText, isSealed, type Vault } from "@heliograph/vault";
import type { Requested } from "./state.ts";

/** What a provider is given of a request whose recipient and texts are sealed. */
export type Opened = Pick<Requested, "to" | "content">;

/** Opens requests. Those that are asked for in one turn of the event loop share one question to the vault. */
export function createOpener(vault: Pick<Vault, "open">): (request: Requested) => Promise<Opened> {
  let gathering:
    | { readonly requests: Opened[]; readonly open: ReturnType<Vault["open"]> }
    | undefined;
  return async ({ to, content }) => {
    if (gathering === undefined) {
      const requests: Opened[] = [];
      const open = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        gathering = undefined;
        // The log says whose they are: the keys are asked for whatever the partner.
        return vault.open(undefined, ...requests);
      });
      gathering = { requests, open };
    }
    const own = { to, content };
    gathering.requests.push(own);
    const open = await gathering.open;
    return open(own);
  };
}

/** Whether the key of the recipient or of the words is gone: then there is nothing to send. */
export const isErased = (request: Opened, opened: Opened): boolean =>
  opened.to === erasedText ||
  (["text", "html", "subject"] as const).some(
    (part) => isSealed(request.content[part]) && opened.content[part] === erasedText,
  );
