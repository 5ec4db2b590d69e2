import { availableParallelism, cpus } from "node:os";
import { writeFileSync } from "node:fs";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { benchAccept } from "./accept.ts";
import { benchBroadcast } from "./broadcast.ts";
import { benchClearing } from "./clearing.ts";
import { benchCompare } from "./compare.ts";
import { benchConsole } from "./console.ts";
import { benchConsumers } from "./consumers.ts";
import { benchDeliveries } from "./deliveries.ts";
import { benchBothFeeds, benchEngines } from "./engines.ts";
import { benchEventStore } from "./eventstore.ts";
import { benchFlood } from "./flood.ts";
import { benchFloor } from "./floor.ts";
import { benchHolds } from "./holds.ts";
import { benchHttp } from "./http.ts";
import { benchIsolation } from "./isolation.ts";
import { benchKafkaClients } from "./kafka-clients.ts";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { benchInbound } from "./inbound.ts";
import { benchLife } from "./life.ts";
import { benchLog } from "./log.ts";
import { benchOutpost } from "./outpost.ts";
import { benchPeopleImport } from "./people-import.ts";
import { benchPipeline } from "./pipeline.ts";
import { benchPeople } from "./people.ts";
import { benchProjectors } from "./projectors.ts";
import { benchRelay } from "./relay.ts";
import { printRows, type Row } from "./row.ts";
import { benchScale } from "./scale.ts";
import { benchSealing } from "./sealing.ts";
import { benchShares } from "./shares.ts";
import { benchSmpp } from "./smpp.ts";
import { benchStreams } from "./streams.ts";
import { benchSync } from "./sync.ts";
import { benchTails } from "./tails.ts";
import { benchUsage } from "./usage.ts";
import { benchWaiting } from "./waiting.ts";
import { benchWorkers } from "./workers.ts";
import { allowClosedOutput } from "../shared/output.ts";

allowClosedOutput();

/**
 * `npm run bench` prints the table of the first five; `npm run bench -- floor scale` runs parts by their names. The same rows go to `bench-results.json`. Those that are not among the first five take
 * minutes.
 */
const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
  log: () => withServer(benchLog),
  http: benchHttp,
  life: () => benchLife(),
  consumers: () => withServer(benchConsumers),
  relay: () => withServer(benchRelay),
  // What a message costs at every rate beside a bare prototype; the last part of that; what the slowest of half rate waited for; what each call goes through.
  floor: benchFloor,
  accept: benchAccept,
  tails: benchTails,
  pipeline: benchPipeline,
  // Two processes behind one port beside one, two of everything beside one, what one copy of each read model takes beside the log's writer, the wallet's ledger.
  workers: benchWorkers,
  shares: benchShares,
  projectors: () => withServer(benchProjectors),
  holds: () => withServer(benchHolds),
  // Idle, both feeds and copies of services; the middle part of it; an EventStoreDB; Kafka clients beside each other.
  engines: benchEngines,
  feeds: benchBothFeeds,
  eventstore: benchEventStore,
  "kafka-clients": benchKafkaClients,
  // What a message costs behind HELIOGRAPH_BENCH_SCALE others (100,000); HELIOGRAPH_BENCH_USAGE messages counted (1,000,000); a space of HELIOGRAPH_BENCH_CLEARING cleared (1,000,000).
  scale: benchScale,
  usage: benchUsage,
  clearing: () => withServer(benchClearing),
  // Webhooks beside a bare loop, with endpoints that are dead or slow, and with HELIOGRAPH_BENCH_WAITING of them in the table (1,000,000); 5,000 event streams that wait.
  deliveries: () => withServer(benchDeliveries),
  isolation: () => withServer(benchIsolation),
  waiting: () => withServer(benchWaiting),
  streams: benchStreams,
  // HELIOGRAPH_BENCH_BROADCAST contacts (20,000) and as many bounces, up to 100,000; what a partner who floods does to another one; a message centre beside a bare loop.
  broadcast: benchBroadcast,
  flood: benchFlood,
  smpp: benchSmpp,
  // What people write; a file of HELIOGRAPH_BENCH_IMPORT contacts (20,000); HELIOGRAPH_BENCH_PEOPLE contacts with two messages each (100,000); phones that wait; the console's pages and open tabs.
  inbound: benchInbound,
  "people-import": benchPeopleImport,
  people: benchPeople,
  sync: benchSync,
  console: benchConsole,
  sealing: () => withServer(benchSealing),
  // Jobs and events beside pg-boss, BullMQ and Emmett, which are installed into `.cache/compare`; a posted event's way to a webhook beside Outpost, whose programs HELIOGRAPH_BENCH_OUTPOST has.
  compare: benchCompare,
  outpost: benchOutpost,
};

async function withServer(bench: (url: string) => Promise<Row[]>): Promise<Row[]> {
  const dataDir = newDataDir();
  const server = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres` });
  try {
    return await bench(server.url);
  } finally {
    await server.stop();
    await removeDataDir(dataDir);
  }
}

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(
    `bench: no part is called ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`,
  );
  process.exit(2);
}
const rows: Row[] = [];
for (const name of named.length > 0 ? named : ["log", "http", "life", "consumers", "relay"]) {
  const part = await parts[name]!();
  printRows(part);
  rows.push(...part);
}
const machine = {
  node: process.version,
  cores: availableParallelism(),
  model: cpus()[0]?.model ?? "unknown",
};
writeFileSync("bench-results.json", `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
console.log(
  `${rows.filter((row) => row.met).length} of ${rows.length} goals met; ${machine.cores} cores, ${machine.model}, Node ${machine.node}; also in bench-results.json`,
);
