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
 * `npm run bench` prints one table; `npm run bench -- log http life consumers relay scale` runs parts. The same rows go to `bench-results.json`. `scale` fills in up to
<<<<<<< HEAD
 * HELIOGRAPH_BENCH_SCALE messages (default 100,000), of which projectors make their rows, and `engines` measures idle, both feeds and copies of services: both take minutes. `inbound` measures what people write, `people-import` a file of HELIOGRAPH_BENCH_IMPORT contacts (default 20,000). `people` fills HELIOGRAPH_BENCH_PEOPLE contacts (default 100,000; two messages each). `usage` counts HELIOGRAPH_BENCH_USAGE messages (default 1,000,000). `feeds` is the middle part of `engines`. `kafka-clients` compares Kafka clients, `smpp` submits to a message centre beside a bare loop, `sync` measures phones that wait, `streams` 5,000 event streams that do, `holds` the wallet's ledger, `projectors` says what one copy of each read model takes beside the log's writer, `clearing` deletes a space of HELIOGRAPH_BENCH_CLEARING messages (default 1,000,000), `deliveries` sends webhooks beside a bare loop, `isolation` with endpoints that are dead or slow, `waiting` with HELIOGRAPH_BENCH_WAITING of them in the table (default 1,000,000), `broadcast` sends one to HELIOGRAPH_BENCH_BROADCAST contacts (default 20,000) and takes as many bounces, `flood` what a partner who floods does to another one, `pipeline` what each call goes through, `console` its pages and open tabs, `workers` two processes behind one port beside one, `shares` two processes of everything beside one, `floor` what a message costs at every rate beside a bare prototype (four minutes), `accept` the last part of it, `tails` what the slowest messages of half rate waited for, `compare` jobs and events beside pg-boss, BullMQ and Emmett, which it installs into `.cache/compare`. These run only when named.
=======
 * HELIOGRAPH_BENCH_SCALE messages (default 100,000), of which projectors make their rows, and `engines` measures idle, both feeds and copies of services: both take minutes. `inbound` measures what people write, `people-import` a file of HELIOGRAPH_BENCH_IMPORT contacts (default 20,000). `people` fills HELIOGRAPH_BENCH_PEOPLE contacts (default 100,000; two messages each). `usage` counts HELIOGRAPH_BENCH_USAGE messages (default 1,000,000). `feeds` is the middle part of `engines`. `kafka-clients` compares Kafka clients, `smpp` submits to a message centre beside a bare loop, `sync` measures phones that wait, `streams` 5,000 event streams that do, `holds` the wallet's ledger, `clearing` deletes a space of HELIOGRAPH_BENCH_CLEARING messages (default 1,000,000), `deliveries` sends webhooks beside a bare loop, `isolation` with endpoints that are dead or slow, `waiting` with HELIOGRAPH_BENCH_WAITING of them in the table (default 1,000,000), `broadcast` sends one to HELIOGRAPH_BENCH_BROADCAST contacts (default 20,000) and takes as many bounces, `flood` what a partner who floods does to another one, `pipeline` what each call goes through, `console` its pages and open tabs, `workers` two processes behind one port beside one, `shares` two processes of everything beside one, `floor` what a message costs at every rate beside a bare prototype (four minutes), `accept` the last part of it, `tails` what the slowest messages of half rate waited for, `compare` jobs and events beside pg-boss, BullMQ and Emmett, which it installs into `.cache/compare`, `outpost` a posted event's way to a webhook beside Outpost, whose program HELIOGRAPH_BENCH_OUTPOST names. These run only when named.
>>>>>>> 307d8140 (Measure a posted event's way to a webhook beside Outpost)
 */
const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
  log: () => withServer(benchLog),
  http: benchHttp,
  accept: benchAccept,
  life: () => benchLife(),
  inbound: benchInbound,
  flood: benchFlood,
  floor: benchFloor,
  pipeline: benchPipeline,
  sealing: () => withServer(benchSealing),
  compare: benchCompare,
  clearing: () => withServer(benchClearing),
  consumers: () => withServer(benchConsumers),
  holds: () => withServer(benchHolds),
  relay: () => withServer(benchRelay),
  console: benchConsole,
  "people-import": benchPeopleImport,
  eventstore: benchEventStore,
  deliveries: () => withServer(benchDeliveries),
  isolation: () => withServer(benchIsolation),
  waiting: () => withServer(benchWaiting),
  engines: benchEngines,
  feeds: benchBothFeeds,
  outpost: benchOutpost,
  people: benchPeople,
  projectors: () => withServer(benchProjectors),
  scale: benchScale,
  shares: benchShares,
  smpp: benchSmpp,
  streams: benchStreams,
  sync: benchSync,
  tails: benchTails,
  usage: benchUsage,
  workers: benchWorkers,
  "kafka-clients": benchKafkaClients,
  broadcast: benchBroadcast,
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
