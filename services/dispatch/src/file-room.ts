import { FairQueue } from "@heliograph/log";

type Waiter = {
  readonly bytes: number;
  readonly enter: () => void;
  hasLeft: boolean;
};
type Limits = {
  readonly bytes: number;
  /** More do not wait: each holds a place of its gateway meanwhile. */
  readonly waiting: number;
  readonly waitMs: number;
};

/** Gives the room back. */
type Release = () => void;
/** Undefined where there was none in time. */
export type Room = (partner: string, bytes: number) => Promise<Release | undefined>;

/** Room for so many bytes. Partners wait in turns, and nobody passes who is before, so that a large one has its turn beside many small ones. */
export function createRoom({ bytes: most, waiting: mostWaiting, waitMs }: Limits): Room {
  const queue = new FairQueue<Waiter>();
  let held = 0;
  let waiting = 0;

  function letIn(): void {
    for (let first = queue.peek(); first !== undefined; first = queue.peek()) {
      if (!first.hasLeft && held + first.bytes > most) return;
      queue.shift();
      if (!first.hasLeft) first.enter();
    }
  }
  const enter = (bytes: number): Release => {
    held += bytes;
    return () => {
      held -= bytes;
      letIn();
    };
  };

  return async (partner, asked) => {
    const bytes = Math.min(asked, most);
    if (waiting === 0 && held + bytes <= most) return enter(bytes);
    if (waiting >= mostWaiting) return undefined;
    waiting++;
    const given = Promise.withResolvers<Release | undefined>();
    const waiter: Waiter = { bytes, hasLeft: false, enter: () => given.resolve(enter(bytes)) };
    const timer = setTimeout(() => {
      waiter.hasLeft = true;
      given.resolve(undefined);
      // Who was behind it may fit.
      letIn();
    }, waitMs);
    queue.push(partner, waiter, bytes);
    try {
      return await given.promise;
    } finally {
      clearTimeout(timer);
      waiting--;
    }
  };
}
