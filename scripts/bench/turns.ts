/** Of `Profiler.stop`; times in microseconds. */
export type Profile = {
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** A time in which the main thread never rested, in milliseconds since the profile began, and what took it: the collector, or the first of our own functions on the stack. */
export type Turn = {
  readonly from: number;
  readonly to: number;
  readonly by: readonly (readonly [what: string, ms: number])[];
};

/** The turns of a profile that are longer than `longerMs`, in order. */
export function turnsOf(profile: Profile, longerMs: number): readonly Turn[] {
  const nameOf = namesOf(profile);
  const turns: Turn[] = [];
  let begun: { from: number; by: Map<string, number> } | undefined;
  let at = 0;
  for (const [index, sample] of profile.samples.entries()) {
    at += profile.timeDeltas[index]! / 1_000;
    const name = nameOf(sample);
    if (name === "(idle)") {
      if (begun !== undefined && at - begun.from > longerMs)
        turns.push({
          from: begun.from,
          to: at,
          by: [...begun.by].toSorted(([, one], [, other]) => other - one),
        });
      begun = undefined;
      continue;
    }
    begun ??= { from: at, by: new Map() };
    const ms = (profile.timeDeltas[index + 1] ?? 0) / 1_000;
    begun.by.set(name, (begun.by.get(name) ?? 0) + ms);
  }
  return turns;
}

function namesOf({ nodes }: Profile): (id: number) => string {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((to) => [to, id])));
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const names = new Map<number, string>();
  const find = (id: number): string => {
    let name = byId.get(id)!.functionName;
    if (name === "(idle)" || name === "(garbage collector)") return name;
    for (let up: number | undefined = id; up !== undefined; up = parents.get(up)) {
      const { functionName, url, lineNumber } = byId.get(up)!;
      const own = /\/(?:services|packages)\/(.*)/.exec(url)?.[1];
      if (own !== undefined) name = `${functionName || "(anonymous)"} ${own}:${lineNumber + 1}`;
    }
    return name;
  };
  return (id) => {
    let name = names.get(id);
    if (name === undefined) names.set(id, (name = find(id)));
    return name;
  };
}
