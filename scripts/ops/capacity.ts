/**
 * What was measured of one message or one partner, each with where the figure is from. `capacity.md` explains what follows; whoever measures on machines of his own changes these.
 */
export const measured = {
  /** Events of a delivered message where holds and captures of many share theirs; six alone. */
  eventsPerMessage: 4.01,
  /** With two webhooks, saturated: `npm run bench -- life`, 2026-11-24. */
  nodeCpuMs: 1.49,
  postgresCpuMs: 0.54,
  /** Saturated, nothing else running: `npm run bench -- floor`, 2026-11-29. */
  commitsPerMessage: 0.24,
  /** The same, on the busy machine. */
  flushesPerMessage: 0.1,
  /** Of one log, 1,024 callers: `npm run bench -- log`. */
  logEventsPerSecond: 29_252,
  /** Of one wallet ledger with 1,000 wallets, the lower of two runs: `npm run bench -- holds`. A message is held and captured. */
  walletStepsPerSecond: 10_011,
  walletStepsPerMessage: 2,
  /** Of one projector: `npm run bench -- consumers`. */
  projectedEventsPerSecond: 47_521,
  /** Of one process or copy, which more of them share: `npm run bench -- http`; `-- engines`, a provider and receivers that answer at once, everything on two cores. */
  acceptsPerProcess: 3_824,
  dispatchedPerCopy: 1_264,
  deliveriesPerCopy: 3_368,
  deliveriesPerMessage: 2,
  /** Growth of tables with their indexes over 5,000 SMS of one partner with two webhooks, 2026-11-30. */
  logBytes: 3_198,
  readModelBytes: 2_692,
  deliveryBytes: 2_548,
  /** Heap of the directory for a partner with two keys, 100,000 of them; and the fold of one of the three events. */
  partnerBytes: 1_461,
  eventsPerPartner: 3,
  foldMicros: 9.1,
  /** How fast a log is read and checked: `verify-log`, two busy cores. */
  readEventsPerSecond: 30_000,
} as const;
type Measured = { readonly [Name in keyof typeof measured]: number };

/** What is asked of an installation. */
export type Demand = {
  /** At the busiest. */
  readonly messagesPerSecond: number;
  readonly partners: number;
  /** The average of a day as a part of the busiest second. */
  readonly averageShare: number;
  /** How much of a bound is used: what is above it is for bursts, a machine that is away, and what is measured wrong. */
  readonly use: number;
};

type Bound = { readonly name: string; readonly messagesPerSecond: number };

/** What one installation can take at most, by each thing of which it has one; the lowest counts. */
export const boundsOf = (unit: Measured): readonly Bound[] =>
  [
    {
      name: "the log's one writer",
      messagesPerSecond: unit.logEventsPerSecond / unit.eventsPerMessage,
    },
    {
      name: "the wallet ledger",
      messagesPerSecond: unit.walletStepsPerSecond / unit.walletStepsPerMessage,
    },
    {
      name: "a projector that reads everything",
      messagesPerSecond: unit.projectedEventsPerSecond / unit.eventsPerMessage,
    },
  ].toSorted((one, other) => one.messagesPerSecond - other.messagesPerSecond);

/** What it takes, all installations together unless it says otherwise. */
export function capacityOf(demand: Demand, unit: Measured = measured) {
  const { messagesPerSecond: rate, partners, averageShare, use } = demand;
  const bounds = boundsOf(unit);
  const perInstallation = bounds[0]!.messagesPerSecond * use;
  const installations = Math.max(1, Math.ceil(rate / perInstallation));
  const cores = (cpuMs: number): number => (rate * cpuMs) / 1_000 / use;
  const copies = (each: number, perMessage = 1): number =>
    Math.ceil((rate * perMessage) / each / use);
  const daily = rate * averageShare * 86_400;
  const terabytes = (bytes: number): number => (daily * bytes) / 1e12;
  const partnersEach = Math.ceil(partners / installations);
  return {
    bounds,
    perInstallation,
    installations,
    nodeCores: cores(unit.nodeCpuMs),
    postgresCores: cores(unit.postgresCpuMs),
    ingressProcesses: copies(unit.acceptsPerProcess),
    dispatchCopies: copies(unit.dispatchedPerCopy),
    webhookCopies: copies(unit.deliveriesPerCopy, unit.deliveriesPerMessage),
    commitsPerSecond: rate * unit.commitsPerMessage,
    flushesPerSecond: rate * unit.flushesPerMessage,
    messagesPerDay: daily,
    logTerabytesPerDay: terabytes(unit.logBytes),
    readModelTerabytesPerDay: terabytes(unit.readModelBytes),
    deliveryTerabytesPerDay: terabytes(unit.deliveryBytes),
    terabytesPerDay: terabytes(unit.logBytes + unit.readModelBytes + unit.deliveryBytes),
    partnersEach,
    /** In every process that knows partners. */
    directoryGigabytes: (partnersEach * unit.partnerBytes) / 1e9,
    /** Until a process has folded it. */
    startSeconds:
      partnersEach *
      unit.eventsPerPartner *
      (1 / unit.readEventsPerSecond + unit.foldMicros / 1_000_000),
  };
}

const number = (value: number, digits = 0): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** The model as a table, head first. */
export function capacityRows(demand: Demand): readonly (readonly [string, string])[] {
  const found = capacityOf(demand);
  const [lowest] = found.bounds;
  return [
    ["what", "how much"],
    ...found.bounds.map(
      ({ name, messagesPerSecond }) =>
        [`most of one installation by ${name}`, `${number(messagesPerSecond)}/s`] as const,
    ),
    [
      `one installation at ${number(demand.use * 100)} % of the lowest (${lowest!.name})`,
      `${number(found.perInstallation)}/s`,
    ],
    ["installations, partners divided among them", number(found.installations)],
    ["cores for Node", number(found.nodeCores, 1)],
    ["cores for PostgreSQL", number(found.postgresCores, 1)],
    ["cores together", number(found.nodeCores + found.postgresCores, 1)],
    ["processes of ingress", number(found.ingressProcesses)],
    ["copies of dispatch", number(found.dispatchCopies)],
    ["copies of webhooks", number(found.webhookCopies)],
    ["commits", `${number(found.commitsPerSecond)}/s`],
    ["flushes of disks", `${number(found.flushesPerSecond)}/s`],
    ["messages a day", number(found.messagesPerDay)],
    ["log a day", `${number(found.logTerabytesPerDay, 2)} TB`],
    ["read models a day", `${number(found.readModelTerabytesPerDay, 2)} TB`],
    ["records of webhooks a day", `${number(found.deliveryTerabytesPerDay, 2)} TB`],
    ["together a day", `${number(found.terabytesPerDay, 2)} TB`],
    ["partners of each installation", number(found.partnersEach)],
    ["directory in each process", `${number(found.directoryGigabytes, 2)} GB`],
    ["start of a process until it knows them", `${number(found.startSeconds)} s`],
  ];
}
