import { once } from "node:events";
import type { Instance } from "@heliograph/testkit";

/** With these in its environment a process can be asked what it does and holds. */
export const askable = { NODE_OPTIONS: "--inspect=127.0.0.1:0" } as const;

export type Inspector = {
  ask<Result>(method: string, params?: object): Promise<Result>;
  /** The value of an expression in the process, by way of JSON. */
  evaluate<Value>(expression: string): Promise<Value>;
  close(): void;
};

/** A line to an instance that is `askable`. */
export async function openInspector({ output }: Pick<Instance, "output">): Promise<Inspector> {
  const url = /Debugger listening on (ws:\S+)/.exec(output())?.[1];
  if (url === undefined) throw new Error("the instance cannot be asked");
  const socket = new WebSocket(url);
  await once(socket, "open");
  let last = 0;
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  const ask = <Result>(method: string, params: object = {}): Promise<Result> =>
    new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, resolve as (result: unknown) => void);
      socket.send(JSON.stringify({ id, method, params }));
    });
  return {
    ask,
    async evaluate<Value>(expression: string) {
      const { result } = await ask<{ result: { value: string } }>("Runtime.evaluate", {
        expression: `JSON.stringify(${expression})`,
      });
      return JSON.parse(result.value) as Value;
    },
    close: () => socket.close(),
  };
}
