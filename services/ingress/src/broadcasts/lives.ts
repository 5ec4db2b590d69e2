import { streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { type Broadcast, evolveBroadcast } from "./decide.ts";

/** A draft has half a megabyte at most; of one that is not kept everything is read again. */
const mostKept = 50;

/** Broadcasts as their streams tell them this very moment, which tables learn later. What was read of one is kept, and only what came since is read. */
export class Lives {
  readonly #kept = new Map<
    string,
    { readonly broadcast: Broadcast | undefined; readonly revision: number }
  >();

  async read(log: Pick<EventLog, "scanStream">, id: string): Promise<Broadcast | undefined> {
    let { broadcast, revision } = this.#kept.get(id) ?? { broadcast: undefined, revision: -1 };
    for await (const event of log.scanStream(streamOf("broadcast", id), { from: revision + 1 })) {
      broadcast = evolveBroadcast(broadcast, event);
      revision = event.revision;
    }
    this.#kept.delete(id);
    this.#kept.set(id, { broadcast, revision });
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value!);
    return broadcast;
  }

  /** Drops all but these. */
  keepOnly(open: ReadonlySet<string>): void {
    for (const id of this.#kept.keys()) if (!open.has(id)) this.#kept.delete(id);
  }
}
