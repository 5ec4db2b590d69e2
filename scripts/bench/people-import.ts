import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { service as contacts } from "@heliograph/contacts";
import { stopOwnServer, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { limitRow, ratioRow, type Row } from "./row.ts";

const people = Number(process.env["HELIOGRAPH_BENCH_IMPORT"] ?? 20_000);
const changes = 4_000;

const row = (n: number, name = `Person ${n}`): string =>
  `${name},+1555${String(n).padStart(7, "0")},person${n}@example.com`;
const fileOf = (rows: readonly string[]): string => ["name,phone,email", ...rows, ""].join("\n");

/** How fast a file becomes contacts, sealed, claimed and listed, against a bare COPY of the same rows into a table; and how much memory it takes. */
export async function benchPeopleImport(): Promise<Row[]> {
  const world = await openWorld({ services: [contacts], consumers: "run", partners: [{}] });
  try {
    const text = fileOf(Array.from({ length: people }, (_, n) => row(n)));
    const copyBefore = await copied(world, text);
    const {
      rowsPerSecond: imported,
      cpuMs,
      grownMb,
      grownSinceMb,
    } = await imports(world, text, people);
    const copyAfter = await copied(world, text);
    const changed = Array.from({ length: changes }, (_, n) => row(n, `Other ${n}`));
    const { rowsPerSecond: updated } = await imports(world, fileOf(changed), changes);
    const copy = { value: (copyBefore + copyAfter) / 2, of: "a bare COPY of the same rows" };
    return [
      ratioRow("import of new contacts", "rows/s", imported, copy, 0.002),
      ratioRow("import of changes of contacts", "rows/s", updated, copy, 0.001),
      limitRow("import: CPU of the process", "ms/row", cpuMs, 1, "lists and search included"),
      limitRow("import: memory grown", "MB", grownMb, 250, `${people} rows, the first ones`),
      limitRow(
        "import: memory grown since a fourth of the rows",
        "MB",
        grownSinceMb,
        150,
        `${people} rows, the first ones`,
      ),
    ];
  } finally {
    await world.close();
    await stopOwnServer();
  }
}

/** From the upload's first byte to the end of the import. */
async function imports(world: World, text: string, rows: number) {
  const { key } = world.partners[0]!;
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const rssBefore = process.memoryUsage().rss;
  const headers = { "content-type": "text/csv" };
  const answer = await world.call("POST", "/api/v1/contact-imports", { key, raw: text, headers });
  const path = `/api/v1/contact-imports/${answer.body.id as string}`;
  // The heap grows to its working size first, whatever the file; what grows behind that grows with it.
  let early: number | undefined;
  let most = 0;
  const done = await until(
    async () => {
      const { body } = await world.call("GET", path, { key });
      const { rss } = process.memoryUsage();
      most = Math.max(most, rss);
      if (body.finished_at !== null) return body;
      if (body.rows >= rows / 4) early ??= rss;
      return undefined;
    },
    { timeoutMs: 3_600_000 },
  );
  if (done.created + done.updated !== rows) throw new Error(JSON.stringify(done));
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    rowsPerSecond: (rows * 1000) / (performance.now() - start),
    cpuMs: Math.round((user + system) / rows / 10) / 100,
    grownMb: Math.round((most - rssBefore) / 2 ** 20),
    // One that ended before it was looked at a second time measured nothing.
    grownSinceMb: early === undefined ? Number.NaN : Math.round((most - early) / 2 ** 20),
  };
}

async function copied(world: World, text: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-bench-"));
  const file = join(folder, "people.csv");
  const { pool } = world.platform.contexts.sandbox;
  try {
    writeFileSync(file, text);
    // The server may run as another user.
    chmodSync(folder, 0o755);
    await pool.query("create table bench_people (name text, phone text, email text)");
    const start = performance.now();
    await pool.query(`copy bench_people from '${file}' with (format csv, header)`);
    return (people * 1000) / (performance.now() - start);
  } finally {
    await pool.query("drop table if exists bench_people");
    rmSync(folder, { recursive: true });
  }
}
