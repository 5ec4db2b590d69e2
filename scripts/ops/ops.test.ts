import { once } from "node:events";
import { openPool, newLogger, databaseConfig, serverOf } from "@heliograph/runtime";
import {
  apiClient,
  newDataDir,
  removeDataDir,
  spawnProgram,
  spawnService,
  startInstance,
  until,
  type Instance,
} from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archive, passedBy, whileThereIsRoom } from "./archive.ts";
import { progressText } from "./progress.ts";
import { openTarget } from "./target.ts";
import { verifyNamespaces } from "./verify-log.ts";
import { shadowText } from "./shadow-text.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const dataDir = newDataDir();
const environment = { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_DATABASE_URL: "", NO_COLOR: "1" };
const testTimeoutMs = 90_000;

const ops = async (...args: string[]) => {
  const command = spawnService(main, environment, args);
  const { code } = await command.exited;
  return { code, output: command.output() };
};

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ dataDir });
  const api = apiClient(instance.baseUrl, instance.sandboxKey);
  const messages = Array.from({ length: 50 }, (_, index) => ({
    channel: "sms",
    to: `+155512300${String(index + 20).padStart(2, "0")}`,
    text: "hello",
  }));
  await api.post("/messages/batch", { messages });
  await until(
    async () => (await api.get("/messages?status=delivered&limit=100")).body.data.length === 50,
    { what: "all messages are delivered", timeoutMs: 30_000 },
  );
}, testTimeoutMs);
afterAll(async () => {
  await instance.stop();
  await removeDataDir(dataDir);
});

/** Changes a read model behind the projector's back, as a bug would. */
async function damage(): Promise<void> {
  const config = databaseConfig(serverOf(instance.databaseUrl), "sandbox");
  const pool = openPool(config, { name: "test", max: 1, durable: true }, newLogger("silent"));
  await pool.query(
    "delete from lifecycle.events where sequence = (select max(sequence) from lifecycle.events)",
  );
  await pool.end();
}

test(
  "every consumer is listed with its position, lag and status",
  async () => {
    const caughtUp = /^lifecycle +sandbox +projector +[1-9]\d* +0 +\d+ +running$/m;
    // What the instance tells of itself, it writes every so often.
    const { code, output } = await until(
      async () => {
        const listed = await ops("projections", "--env", "sandbox");
        return caughtUp.test(listed.output) && listed;
      },
      { what: "the lifecycle projector is listed without lag", timeoutMs: 20_000 },
    );
    expect(output).toMatch(/^wallet-ledger +sandbox +reactor /m);
    expect(code).toBe(0);
  },
  testTimeoutMs,
);

test(
  "the log is verified while it is written, and what was forged in it is named",
  async () => {
    const whole = await ops("verify-log");
    for (const namespace of ["platform", "live", "sandbox"])
      expect(whole.output).toMatch(
        new RegExp(
          `^${namespace}: [\\d,]+ events up to position \\d+ are whole; anchor \\d+:[0-9a-f]{64}$`,
          "m",
        ),
      );
    expect(whole.code).toBe(0);
    const anchor = /sandbox: .* anchor (\S+)/.exec(whole.output)![1]!;
    const again = await ops("verify-log", "--namespace", "sandbox", "--anchor", anchor);
    expect(again.code).toBe(0);
    const other = anchor.replace(/:../, ":00");
    const anew = await ops("verify-log", "--namespace", "sandbox", "--anchor", other);
    expect(anew).toMatchObject({
      code: 1,
      output: expect.stringMatching(
        /FLAW at position \d+: an event from here to \d+ was changed, and the chain made anew/,
      ),
    });
    expect((await ops("verify-log", "--anchor", anchor)).code).toBe(2);

    const config = databaseConfig(serverOf(instance.databaseUrl), "sandbox");
    const pool = openPool(config, { name: "test", max: 1, durable: true }, newLogger("silent"));
    await expect(pool.query("update log.events set data = data || ' '")).rejects.toThrow("final");
    await pool.query("alter table log.events disable trigger user");
    const replace = (from: string, to: string) =>
      pool.query("update log.events set data = replace(data, $1, $2)", [from, to]);
    await replace("+1555123", "+1555124");
    const forged = await ops("verify-log", "--namespace", "sandbox");
    expect(forged.output).toMatch(
      /sandbox: FLAW at position \d+: the events from here to \d+ are not those that were sealed/,
    );
    expect(forged.code).toBe(1);
    await replace("+1555124", "+1555123");
    await pool.query("alter table log.events enable trigger user");
    await pool.end();
    expect((await ops("verify-log", "--namespace", "sandbox", "--anchor", anchor)).code).toBe(0);
  },
  testTimeoutMs,
);

test(
  "verify sees a damaged read model and rebuild repairs it while the instance serves",
  async () => {
    const verify = ["rebuild", "lifecycle", "--env", "sandbox", "--verify"];
    const good = await ops(...verify);
    expect(good.output).toMatch(/equals the fold of the log: 1[0-9]{2} events up to position \d+/);
    expect(good.code).toBe(0);
    await damage();
    const bad = await ops(...verify);
    expect(bad.output).toContain("DIFFERS in events");
    expect(bad.code).toBe(1);
    const rebuilt = await ops("rebuild", "lifecycle", "--env", "sandbox");
    expect(rebuilt.output).toMatch(/lifecycle \(sandbox\) rebuilt: 1[0-9]{2} events/);
    expect((await ops(...verify)).code).toBe(0);
  },
  testTimeoutMs,
);

test(
  "a reactor is never replayed, and an unknown name is answered with the known ones",
  async () => {
    const reactor = await ops("rebuild", "dispatch", "--env", "sandbox");
    expect(reactor.output).toContain("dispatch is a reactor");
    expect(reactor.code).toBe(2);
    const unknown = await ops("rebuild", "nothing", "--env", "sandbox");
    expect(unknown.output).toMatch(
      /there is no projection nothing; there are .*messages.*lifecycle/,
    );
    expect(unknown.code).toBe(2);
  },
  testTimeoutMs,
);

test("an archive is not begun where there is no room, and ends between two steps when it runs out", async () => {
  const { signal } = new AbortController();
  const total = 100 * 2 ** 30;
  let free = 2 ** 29;
  const room = async () => ({ free, total });
  const run = (work: Parameters<typeof whileThereIsRoom<boolean>>[2]) =>
    whileThereIsRoom("/archive", signal, work, room);
  const never = async (): Promise<boolean> => {
    throw new Error("it was begun");
  };
  await expect(run(never)).rejects.toThrow(/^too little room .* 0\.5 GiB free of 100\.0 GiB/);
  free = 2 ** 32;
  const running = run(async (lasting, look) => {
    free = 2 ** 29;
    const ended = once(lasting, "abort");
    look();
    await ended;
    lasting.throwIfAborted();
    return true;
  });
  await expect(running).rejects.toThrow(/too little room/);
});

test(
  "old events are archived while the instance serves: what consumers have not passed stays, every answer is as before, and the log is verified from its files",
  async () => {
    expect(passedBy([{ name: "a", position: 7n, head: undefined }], 5n)).toEqual({ through: 5n });
    const behind = { name: "b", position: 3n, head: undefined };
    const atItsEnd = { name: "c/1", position: 2n, head: 2n };
    expect(passedBy([behind, atItsEnd, { ...behind, position: 4n }], 5n)).toEqual({
      through: 3n,
      heldBy: behind,
    });

    const api = apiClient(instance.baseUrl, instance.sandboxKey);
    const list = (await api.get("/messages?limit=50")).body.data as { id: string }[];
    const now = new Date().toISOString();
    const answers = async () =>
      Promise.all(
        [
          ...list.slice(0, 3).flatMap(({ id }) => [`/messages/${id}`, `/messages/${id}/timeline`]),
          `/messages/${list[0]!.id}/explain?field=status`,
          `/messages/${list[0]!.id}?as_of=${now}`,
          "/events?limit=200",
        ].map(async (path) => (await api.get(path)).body),
      );
    const before = await answers();
    const young = await ops("archive", "--env", "sandbox");
    expect(young).toMatchObject({
      code: 0,
      output: expect.stringContaining("0 events up to position 0 archived"),
    });
    const target = await openTarget(environment);
    const { signal } = new AbortController();
    await archive(target, "sandbox", Date.now() + 1_000, signal);
    const pool = openPool(
      databaseConfig(serverOf(instance.databaseUrl), "sandbox"),
      { name: "test", max: 1, durable: true },
      newLogger("silent"),
    );
    const { rows } = await pool.query(
      "select count(*)::int as n, count(*) filter (where stream like 'wallet-%')::int as wallets from log.events where data = ''",
    );
    await pool.end();
    // Fifty messages, of which each was requested, sent and delivered; the wallet lives on.
    expect(rows[0].n).toBeGreaterThanOrEqual(150);
    expect(rows[0].wallets).toBe(0);
    expect(await answers()).toEqual(before);
    const request = { namespaces: ["sandbox" as const], anchor: undefined, signal };
    expect(await verifyNamespaces(target, request)).toBe(true);
    await target.close();
    const { body } = await apiClient(instance.baseUrl, instance.adminKey).get("/admin/audit");
    expect(body.data).toContainEqual(expect.objectContaining({ action: "ops archive" }));
  },
  testTimeoutMs,
);

test(
  "what a command changes stands in the audit, with what it came to",
  async () => {
    await ops("rebuild", "lifecycle", "--env", "sandbox");
    await ops("dead-letters", "retry", "9", "--env", "sandbox");
    const { body } = await apiClient(instance.baseUrl, instance.adminKey).get("/admin/audit");
    const rows = body.data.filter(({ actor }: { actor: string }) => actor === "ops");
    expect(rows).toContainEqual(
      expect.objectContaining({
        action: "ops rebuild",
        target: "lifecycle",
        environment: "sandbox",
        outcome: 200,
      }),
    );
    expect(rows).toContainEqual(
      expect.objectContaining({ action: "ops dead-letters retry", target: "9", outcome: 500 }),
    );
  },
  testTimeoutMs,
);

test(
  "the audit is verified, and a row that is missing is named",
  async () => {
    const sound = await ops("verify-audit");
    expect(sound.output).toMatch(/^live: \d+ rows of \d days? are whole/m);
    expect(sound.code).toBe(0);
    const pool = openPool(
      databaseConfig(serverOf(instance.databaseUrl), "sandbox"),
      { name: "test", max: 1, durable: true },
      newLogger("silent"),
    );
    await pool.query(
      "begin; set local session_replication_role = replica; delete from control.audit where number = 1; commit",
    );
    await pool.end();
    const broken = await ops("verify-audit", "--env", "sandbox");
    expect(broken.output).toMatch(/^sandbox: FLAW: [\d-]+, row 1 is missing/m);
    expect(broken.code).toBe(1);
  },
  testTimeoutMs,
);

test("a command loads what it needs: listing loads no service", async () => {
  // Each file that is loaded is told on standard error.
  const hook = `import { registerHooks } from "node:module";
    registerHooks({ load: (url, context, next) => (console.error("loaded " + url), next(url, context)) });`;
  // As it stands in the checkout, not out of the file of all programs.
  const command = spawnProgram(process.execPath, [main, "dead-letters"], {
    ...environment,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
  });
  await command.exited;
  expect(command.output()).toContain("/scripts/ops/lists.ts");
  expect(command.output()).not.toMatch(/loaded \S+\/(services|packages\/(kafka|platform))\//);
});

test("dead letters are listed, and one that does not exist is not retried", async () => {
  expect((await ops("dead-letters")).output).toContain("No dead letters.");
  const retry = await ops("dead-letters", "retry", "7", "--env", "live");
  expect(retry.output).toContain("live has no unresolved dead letter 7");
  expect(retry.code).toBe(2);
});

test(
  "projections that no process runs are rebuilt by the command itself, several at once",
  async () => {
    await instance.stop();
    const { code, output } = await ops("rebuild", "messages", "lifecycle", "--env", "sandbox");
    expect(output).toContain("No process runs messages, lifecycle (sandbox): working here.");
    expect(output).toMatch(/lifecycle \(sandbox\) rebuilt: \d+ events up to position \d+/);
    expect(output).toMatch(/messages \(sandbox\) rebuilt: \d+ events up to position \d+/);
    expect(code).toBe(0);
  },
  testTimeoutMs,
);

test("progress tells the share, the rate and the time that is left", () => {
  expect(progressText(50_000, 200_000, 10_000)).toBe(
    "25 %, event 50,000 of 200,000, 5,000 events/s, ETA 30 s",
  );
  expect(progressText(0, 0, 0)).toBe("100 %, event 0 of 0, 0 events/s, ETA unknown");
});

test("a shadow says of each table what the release would make of it", () => {
  const result = { position: "7", events: 1_200, seconds: 1 };
  expect(shadowText("messages (live)", { ...result, rows: [] })).toBe(
    "messages (live) is the same by this release's code: 1,200 events up to position 7\n",
  );
  const same = { onlyLeft: 0, onlyRight: 0, changed: 0, columnsOnlyLeft: [], columnsOnlyRight: [] };
  const rows = [
    { ...same, table: "made", columnsOnlyRight: ["*"] },
    { ...same, table: "dropped", columnsOnlyLeft: ["*"] },
    { ...same, table: "rows", changed: 2, onlyLeft: 1, columnsOnlyRight: ["a", "b"] },
  ];
  expect(
    shadowText("messages (live)", { ...result, rows })
      .split("\n")
      .slice(1),
  ).toEqual([
    "  made: a new table",
    "  dropped: there is no such table any more",
    "  rows: 2 rows changed, 0 more, 1 gone; new columns: a, b",
    "",
  ]);
});
