import { afterEach, beforeEach } from "vitest";
import { openDesk, startDesk, type TestDesk, type Thread } from "./assignment-harness.ts";

type Running = Awaited<ReturnType<typeof startDesk>>;

/** What tests of assignment ask of a desk; each test of the file has one of its own. */
export type Scene = {
  readonly desk: TestDesk;
  openMany(count: number): Promise<readonly Thread[]>;
  /** Who has each, in their order. */
  holders(threads: readonly Thread[]): Promise<readonly (string | undefined)[]>;
  /** How many of them an agent has. */
  countOf(threads: readonly Thread[], agent: string): Promise<number>;
  /** Lets the reactor work on the desk for as long as `work` takes. */
  withDesk(work: (running: Running) => Promise<void>): Promise<void>;
};

/** Call it at the top of a file: it opens a desk before each test, and closes it after. */
export function useScene(): Scene {
  let desk: TestDesk;
  beforeEach(async () => {
    desk = await openDesk();
  });
  afterEach(() => desk.close());
  const holders = async (threads: readonly Thread[]): Promise<readonly (string | undefined)[]> =>
    Promise.all(threads.map(async (thread) => (await desk.holder(thread)).agent));
  return {
    get desk() {
      return desk;
    },
    async openMany(count) {
      const threads: Thread[] = [];
      for (let index = 0; index < count; index++) threads.push(await desk.open());
      return threads;
    },
    holders,
    async countOf(threads, agent) {
      return (await holders(threads)).filter((holder) => holder === agent).length;
    },
    async withDesk(work) {
      const running = await startDesk(desk.context);
      try {
        await work(running);
      } finally {
        await running.stop();
      }
    },
  };
}
