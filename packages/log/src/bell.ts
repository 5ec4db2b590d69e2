/** Something many can wait for: `ring` releases everyone who waits at that moment. */
export type Bell = {
  ring(): void;
  /** Check your condition in the same tick before waiting, so that no ring is missed. */
  wait(): Promise<void>;
};

export function makeBell(): Bell {
  let waiting: PromiseWithResolvers<void> | undefined;
  return {
    ring() {
      waiting?.resolve();
      waiting = undefined;
    },
    wait() {
      waiting ??= Promise.withResolvers<void>();
      return waiting.promise;
    },
  };
}
