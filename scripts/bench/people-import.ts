import { chmodSync, createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { newDataDir, removeDataDir, until, type Instance } from "@heliograph/testkit";
import pg from "pg";
import { ownCpuMs, residentMb } from "./cpu.ts";
import { startMeasured } from "./instance.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const people = Number(process.env["HELIOGRAPH_BENCH_IMPORT"] ?? 20_000);
const changes = 4_000;

/** How fast a file becomes contacts, sealed, claimed and listed, against a bare COPY of the same file into a table; and how much memory the instance takes for it. */
export async function benchPeopleImport(): Promise<Row[]> {
  const dataDir = newDataDir();
  const files = mkdtempSync(join(tmpdir(), "heliograph-bench-"));
  // PostgreSQL, which reads the file, may run as another user.
  chmodSync(files, 0o755);
  const instance = await startMeasured(dataDir);
  try {
    const all = await newFile(join(files, "people.csv"), people, "Person");
    const some = await newFile(join(files, "changes.csv"), changes, "Other");
    const before = await copiedPerSecond(instance, all);
    const made = await imports(instance, all, people);
    const after = await copiedPerSecond(instance, all);
    const changed = await imports(instance, some, changes);
    const copy = { value: (before + after) / 2, of: "a bare COPY of the same rows" };
    const rows = `${people} rows, the instance's first`;
    return [
      ratioRow("import of new contacts", "rows/s", made.rowsPerSecond, copy, 0.002),
      ratioRow("import of changes of contacts", "rows/s", changed.rowsPerSecond, copy, 0.001),
      limitRow("import: CPU of the instance", "ms/row", made.cpuMs, 1, "lists and search included"),
      limitRow("import: memory grown", "MB", made.grownMb, 250, rows),
      limitRow("import: memory grown since a fourth", "MB", made.grownSinceMb, 150, rows),
    ];
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
    rmSync(files, { recursive: true });
  }
}

async function newFile(path: string, rows: number, called: string): Promise<string> {
  function* lines() {
    yield "name,phone,email\n";
    for (let n = 0; n < rows; n += 1)
      yield `${called} ${n},+1555${String(n).padStart(7, "0")},person${n}@example.com\n`;
  }
  await pipeline(lines, createWriteStream(path));
  return path;
}

/** From the upload's first byte to the end of the import. */
async function imports({ baseUrl, sandboxKey, pid }: Instance, file: string, rows: number) {
  const authorization = `Bearer ${sandboxKey}`;
  const at = `${baseUrl}/api/v1/contact-imports`;
  const start = performance.now();
  const cpuBefore = ownCpuMs(pid);
  const before = residentMb(pid);
  const upload = await fetch(at, {
    method: "POST",
    headers: { authorization, "content-type": "text/csv" },
    body: Readable.toWeb(createReadStream(file)),
    duplex: "half",
  });
  if (!upload.ok) throw new Error(await upload.text());
  const { id } = (await upload.json()) as { id: string };
  // The heap grows to its working size first, whatever the file; what grows behind that grows with it.
  let early: number | undefined;
  let most = 0;
  const done = await until(
    async () => {
      const answer = await fetch(`${at}/${id}`, { headers: { authorization } });
      const report = (await answer.json()) as Report;
      const now = residentMb(pid);
      most = Math.max(most, now);
      if (report.finished_at !== null) return report;
      if (report.rows >= rows / 4) early ??= now;
      return undefined;
    },
    { timeoutMs: 3_600_000 },
  );
  if (done.created + done.updated !== rows) throw new Error(JSON.stringify(done));
  return {
    rowsPerSecond: (rows * 1000) / (performance.now() - start),
    cpuMs: Math.round(((ownCpuMs(pid) - cpuBefore) / rows) * 100) / 100,
    grownMb: Math.round(most - before),
    // One that ended before it was looked at a second time measured nothing.
    grownSinceMb: early === undefined ? Number.NaN : Math.round(most - early),
  };
}

type Report = {
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly finished_at: string | null;
};

async function copiedPerSecond({ databaseUrl }: Instance, file: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("create temporary table bench_people (name text, phone text, email text)");
    const start = performance.now();
    await client.query(`copy bench_people from '${file}' with (format csv, header)`);
    return (people * 1000) / (performance.now() - start);
  } finally {
    await client.end();
  }
}
