import {
  bodiesOf,
  openBare,
  openProduct,
  openSink,
  post,
  subscribe,
  withEnds,
  type Bodies,
  type Subject,
} from "./floor-subjects.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const rounds = 3;
const warmUpMs = 3_000;
const sliceMs = 3_000;
/** Of the rate that the bare prototype has. */
const goals = [
  { connections: 64, atLeast: 0.5 },
  { connections: 512, atLeast: 0.6 },
] as const;

/** POSTs with nothing behind the 202. */
type Accepted = { answers: number; seconds: number; cpuMs: number };

/** The accept alone: one process of the API against a bare prototype that parses, stores what the product stores and answers the same bytes. */
export async function benchAccept(): Promise<Row[]> {
  const bodies = await withEnds(async (ends) => {
    const sink = await openSink(ends);
    const product = await openProduct(ends, {});
    await subscribe(product, `${sink.url}/hook`);
    return bodiesOf(product, sink);
  });
  return acceptRows(bodies);
}

/** Both run all the time, each with a PostgreSQL of its own, and take turns in short slices. */
export function acceptRows(bodies: Bodies): Promise<Row[]> {
  return withEnds(async (ends) => {
    const subjects = [
      await openProduct(ends, { HELIOGRAPH_SERVICES: "ingress" }),
      await openBare(ends, bodies),
    ];
    for (const subject of subjects) await post(subject, { durationMs: warmUpMs });
    const rows: Row[] = [];
    for (const { connections, atLeast } of goals) {
      const [product, bare] = await takeTurns(subjects, connections);
      const name = `accept alone, ${connections} connections`;
      const each = ({ cpuMs, answers }: Accepted) => Math.round((cpuMs / answers) * 1_000) / 1_000;
      rows.push(
        ratioRow(
          name,
          "requests/s",
          product!.answers / product!.seconds,
          { value: bare!.answers / bare!.seconds, of: "the bare prototype" },
          atLeast,
        ),
        limitRow(`${name}: CPU of a POST`, "ms", each(product!), undefined, `bare ${each(bare!)}`),
      );
    }
    return rows;
  });
}

async function takeTurns(
  subjects: readonly Subject[],
  connections: number,
): Promise<readonly Accepted[]> {
  const sums = subjects.map(() => ({ answers: 0, seconds: 0, cpuMs: 0 }));
  for (let round = 0; round < rounds; round++)
    for (const [index, subject] of subjects.entries()) {
      const sum = sums[index]!;
      const before = subject.cpu();
      const { answers, seconds } = await post(subject, { durationMs: sliceMs, connections });
      sum.cpuMs += subject.cpu() - before;
      sum.answers += answers;
      sum.seconds += seconds;
    }
  return sums;
}
