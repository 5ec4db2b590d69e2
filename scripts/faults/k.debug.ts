import { allFaults } from "./faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld } from "./world.ts";
import { query, readLog } from "./log.ts";
const random = seededRandom(Number(process.argv[2]));
const names = process.argv.slice(3);
const world = await openWorld(random);
const round = await runRound(world, names.map((n) => allFaults.find(({ name }) => name.includes(n))!), random, 60);
console.log(round);
for (const env of ["live", "sandbox"] as const) {
  const rows = await query(world.instance.databaseUrl, env, "select * from wallet.holds");
  const want = new Map<string, any>();
  const cols: any = { FundsHeld: "held_position", FundsDeclined: "declined_position", FundsCaptured: "captured_position", FundsReleased: "released_position", FundsRefunded: "refunded_position" };
  for (const e of await readLog(world.instance.databaseUrl, env)) if (cols[e.type]) for (const x of e.data.entries) { const r = want.get(x.message_id) ?? {}; want.set(x.message_id, r); r[cols[e.type]] = String(e.position); }
  for (const row of rows) { const w = want.get(row.message_id); want.delete(row.message_id); for (const c of Object.values(cols) as string[]) if ((w?.[c] ?? null) !== row[c]) console.log(env, row.message_id, c, "table", row[c], "log", w?.[c]); }
  console.log(env, "missing rows", want.size, [...want].slice(0, 3));
  console.log(await query(world.instance.databaseUrl, env, "select * from wallet.checkpoint"));
}
console.log(world.instance.output().slice(-2500));
if (process.env.KEEP) { console.log(world.dataDir, world.instance.databaseUrl); } else
await world.close();
process.exit(0);
