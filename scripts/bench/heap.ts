import type { Instance } from "@heliograph/testkit";
import { openInspector } from "./inspector.ts";

/**
 * As the heap does it by itself. Where `HeapProfiler.collectGarbage` asks for it, the heap shrinks too, and is collected again whenever it has grown by a tenth: for half a minute that makes most of
 * what the slowest messages wait for.
 */
const collect = `(process.getBuiltinModule("v8").setFlagsFromString("--expose-gc"), process.getBuiltinModule("vm").runInNewContext("gc")(), 0)`;

/** What an instance that is `askable` holds in its heap, in MB, once what nobody needs is collected: how much of that the kernel counts too is up to the collector, which waits longer the busier the machine is. */
export async function inUseMb(instance: Pick<Instance, "output">): Promise<number> {
  const { ask, evaluate, close } = await openInspector(instance);
  // The second one takes what the first has found to be of no use, and its finalizers have let go of.
  await evaluate(collect);
  await evaluate(collect);
  const { usedSize } = await ask<{ usedSize: number }>("Runtime.getHeapUsage");
  close();
  return usedSize / 1e6;
}
