import { once } from "node:events";
import type { Instance } from "@heliograph/testkit";

/** With these in its environment a process can be asked what it holds. */
export const askable = { NODE_OPTIONS: "--inspect=127.0.0.1:0" } as const;

/** What an instance that is `askable` holds in its heap, in MB, once what nobody needs is collected: how much of that the kernel counts too is up to the collector, which waits longer the busier the machine is. */
export async function inUseMb(instance: Pick<Instance, "output">): Promise<number> {
  const url = /Debugger listening on (ws:\S+)/.exec(instance.output())?.[1];
  if (url === undefined) throw new Error("the instance cannot be asked");
  const socket = new WebSocket(url);
  await once(socket, "open");
  const ask = async (method: string): Promise<{ readonly usedSize: number }> => {
    socket.send(JSON.stringify({ id: 1, method }));
    const [answer] = (await once(socket, "message")) as [{ readonly data: string }];
    return (JSON.parse(answer.data) as { result: { usedSize: number } }).result;
  };
  // The second one takes what the first has found to be of no use, and its finalizers have let go of.
  await ask("HeapProfiler.collectGarbage");
  await ask("HeapProfiler.collectGarbage");
  const { usedSize } = await ask("Runtime.getHeapUsage");
  socket.close();
  return usedSize / 1e6;
}
