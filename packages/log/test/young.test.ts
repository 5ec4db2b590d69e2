import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

// Where V8 has put what it made is told only to a process that was started with a flag for it.
const script = `
  import pg from "pg";
  const client = new pg.Client({ query_timeout: 1_000_000 });
  client.query("select 1", []);
  client.query("select 1", [], () => undefined);
  console.log(client._queryQueue.map(({ callback }) => %InYoungGeneration(callback)).join());
  process.exit();
`;

it("what the client of PostgreSQL keeps of a query is garbage for the young generation's collector", () => {
  const answer = execFileSync(
    process.execPath,
    ["--allow-natives-syntax", "--input-type=module", "-e", script],
    { cwd: import.meta.dirname, encoding: "utf8" },
  );
  expect(answer.trim()).toBe("true,true");
});
