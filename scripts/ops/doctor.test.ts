import { createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { newLogger, readSettings, serverOf } from "@heliograph/runtime";
import { selfSignedCertificate } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service as delivery } from "../../services/delivery/src/index.ts";
import { service as dispatch } from "../../services/dispatch/src/index.ts";
import { service as wallet } from "../../services/wallet/src/index.ts";
import { service as webhooks } from "../../services/webhooks/src/index.ts";
import { certificateOf, configuredPlaces, ofCertificate, placeOf } from "./doctor/certificates.ts";
import { ofConsumer } from "./doctor/consumers.ts";
import { statusOfRoom } from "./doctor/disk.ts";
import { examine } from "./doctor/doctor.ts";
import { lookAtLog } from "./doctor/log-sample.ts";
import { exitCodeOf, textOf, type Report } from "./doctor/report.ts";
import { lookAtMasterKey, ofSkew } from "./doctor/small.ts";
import { ofDatabase } from "./doctor/versions.ts";

const logger = newLogger("silent");
const of = (report: Report, name: string) => report.checks.find((check) => check.name === name)!;

let world: World;
beforeAll(async () => {
  world = await openWorld({
    services: [wallet, dispatch, delivery, webhooks],
    partners: [{ funds: "12.5" }],
  });
}, 60_000);
afterAll(() => world.close());

const look = (server = world.platform.server) =>
  examine({ settings: world.platform.settings, logger, server });
const sandbox = (text: string, values: unknown[] = []) =>
  world.platform.contexts.sandbox.pool.query(text, values);

describe("an installation", () => {
  test("that does well gets a page without a failure, and nothing in it changes", async () => {
    const before = await world.heads();
    const report = await look();
    expect(of(report, "database").status).toBe("ok");
    expect(of(report, "versions").summary).toMatch(
      /^Heliograph \d+\.\d+\.\d+, Node \d+\.\d+\.\d+, PostgreSQL \d+\.\d+$/,
    );
    expect(of(report, "versions").details!.join()).toMatch(/sandbox: migrations .*log \d/);
    expect(of(report, "master key").summary).toMatch(/HELIOGRAPH_MASTER_KEY opens what is sealed/);
    expect(of(report, "clock").status).toBe("ok");
    for (const name of ["dead letters", "overdue", "reports", "endpoints", "log"])
      expect(of(report, name)).toMatchObject({ name, status: "ok" });
    expect(of(report, "log").summary).toMatch(/^the newest [1-9][\d,]* events/);
    expect(exitCodeOf(report)).toBe(0);
    expect(await world.heads()).toBe(before);
    const text = textOf(report);
    expect(text.split("\n").length).toBeLessThan(40);
    expect(text).toMatch(/\d+ ok/);
  });

  test("whose database is away gets a page that says so, with what can be seen without it", async () => {
    const report = await look(serverOf("postgres://u:p@127.0.0.1:1/x"));
    expect(of(report, "database")).toMatchObject({
      status: "failed",
      summary: "the database is away: connect ECONNREFUSED 127.0.0.1:1",
    });
    expect(of(report, "wallets").status).toBe("skipped");
    expect(of(report, "disk").summary).toMatch(/GiB free of/);
    expect(exitCodeOf(report)).toBe(1);
  });

  test("is told which file of archived events is missing, and whether their folder can be read", async () => {
    const { settings, server } = world.platform;
    const place = (archiveDir: string) => ({
      settings: { ...settings, archiveDir },
      server,
      logger,
    });
    await sandbox(
      "insert into log.archives (first, last, events, file, sha256, state) values (1, 9, 9, 'h_sandbox/1-9', '', 'archived')",
    );
    try {
      const there = of(await examine(place("/")), "archive");
      expect(there).toMatchObject({
        status: "failed",
        summary: "1 files of archived events, 0 MB, in /",
      });
      expect(there.details).toEqual([
        "failed: sandbox: / is not the folder of this log's archive: not mounted, or another",
        expect.stringMatching(
          /^failed: sandbox: archived events cannot be read, \/h_sandbox\/1-9\.json: ENOENT/,
        ),
        expect.stringMatching(/GiB free of .* there$/),
      ]);
      expect(of(await examine(place("/unmounted")), "archive").details).toContainEqual(
        expect.stringMatching(/^failed: the folder cannot be read: ENOENT/),
      );
    } finally {
      await sandbox("delete from log.archives");
    }
  });

  test("at another release is not opened, for that would migrate it", async () => {
    const pool = world.platform.contexts.live.pool;
    await pool.query("update log.migrations set number = number + 100 where number = 1");
    try {
      const report = await look();
      expect(of(report, "versions").details!.join()).toContain(
        "failed: live belongs to a newer release (log)",
      );
      expect(of(report, "log").status).toBe("skipped");
      expect(of(report, "dead letters").status).toBe("ok");
    } finally {
      await pool.query("update log.migrations set number = number - 100 where number > 100");
    }
  });

  test("with another master key is told so", async () => {
    const { settings, server } = world.platform;
    const other = { settings: { ...settings, masterKey: "ab".repeat(32) }, server };
    expect(await lookAtMasterKey(other)).toEqual({
      status: "failed",
      summary: "HELIOGRAPH_MASTER_KEY is not the key of this installation",
    });
  });

  test("is told of every thing that stands still, waits too long, or does not add up", async () => {
    const long = Date.now() - 3_600_000;
    await sandbox(
      "insert into dispatch.timers (message_id, due_at, kind) values ('msg_1', $1, 'retry'), ('msg_2', $2, 'retry')",
      [long, Date.now() + 3_600_000],
    );
    await sandbox(
      `insert into runtime.dead_letters (consumer, position, event_id, event_type, reason)
        values ('dispatch', 1, gen_random_uuid(), 'FundsHeld', 'x')`,
    );
    await sandbox(
      `insert into runtime.consumers (name, schema, kind, position, head, rate, status, owner, updated_at)
        values ('webhooks', 'webhooks', 'reactor', 0, 0, 0, 'running', 'x', now() - interval '1 minute')`,
    );
    await sandbox(
      `insert into webhooks.endpoints (id, partner, status, created_position, state) values ('wh_1', 'p', 'enabled', 1, '{}')`,
    );
    await sandbox(
      "insert into webhooks.failing (endpoint_id, since, failed_at, failed_for_ms, told) values ('wh_1', $1, $1, 60000, false)",
      [long],
    );
    // What waits for a receiver that fails is not late; what waits for another is.
    await sandbox(
      `insert into webhooks.deliveries (id, endpoint_id, position, partner, event_id, type, sequence, status, attempts, next_attempt_at, created_at)
        select 'whd_' || n, 'wh_' || n, 1, 'p', 'evt_1', 'message.sent', 1, 'pending', '[]', $1, $1 from generate_series(1, 2) n`,
      [long],
    );
    await sandbox(
      "insert into delivery.parked (message_id, expires_at, partner) values ('msg_3', now() + interval '1 day', 'p')",
    );
    const [partner] = world.partners;
    await sandbox(
      `insert into wallet.wallets (partner, available, held, currency, revision, covers, position) values ($1, '12.4', '0', 'USD', 0, 0, 9)`,
      [partner!.id],
    );
    const report = await look();
    expect(of(report, "overdue")).toMatchObject({ status: "failed" });
    expect(of(report, "overdue").details).toEqual([
      "failed: sandbox dispatch, retry: 1 messages, the first for 60 minutes",
      "failed: sandbox webhooks: 1 deliveries, the first for 60 minutes",
    ]);
    expect(of(report, "dead letters")).toMatchObject({
      status: "failed",
      details: ["sandbox dispatch: 1"],
    });
    expect(of(report, "consumers").details).toEqual([
      expect.stringMatching(/^failed: sandbox webhooks: no process has shown it for ten seconds/),
    ]);
    expect(of(report, "endpoints").details).toEqual(["sandbox wh_1: for 60 minutes"]);
    expect(of(report, "reports").details).toEqual(["sandbox: receipts of 1 messages, 0 callbacks"]);
    expect(of(report, "wallets").details).toEqual([
      `failed: sandbox ${partner!.id}: 12.4 available and 0 held are shown, 12.5 and 0 are in the log`,
      "sandbox USD: debits 12.5, credits 12.5, together 0",
    ]);
    await sandbox("alter table log.events disable trigger user");
    await sandbox("update log.events set data = replace(data, '12.5', '13.5')");
    const forged = await lookAtLog(world.platform, new AbortController().signal);
    expect(forged.details!.join()).toContain("not those that were sealed");
    expect(exitCodeOf(report)).toBe(1);
  });
});

describe("single findings", () => {
  test("a server's certificate is read, whoever signed it", async () => {
    const made = await selfSignedCertificate();
    const server = createServer({ key: made.key, cert: made.certificate });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const { endsAt, distrust } = await certificateOf({ host: "127.0.0.1", port });
      const hours = (endsAt - Date.now()) / 3_600_000;
      expect(Math.round(hours)).toBe(24);
      expect(distrust).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    } finally {
      server.close();
      await made.remove();
    }
  });

  test("a certificate counts by how long it still lasts", () => {
    const day = 86_400_000;
    expect(ofCertificate(60 * day, undefined).status).toBe("ok");
    expect(ofCertificate(60 * day, "UNTRUSTED").status).toBe("warning");
    expect(ofCertificate(20 * day, undefined).status).toBe("warning");
    expect(ofCertificate(6 * day, undefined).status).toBe("failed");
    expect(ofCertificate(-1, undefined).words).toBe("its certificate has ended");
    expect(ofCertificate(NaN, undefined).status).toBe("failed");
  });

  test("addresses whose connection begins with TLS are found in settings, others are not", () => {
    expect(placeOf("https://[::1]:8443/x", "a")).toEqual([{ host: "::1", port: 8443, what: "a" }]);
    expect(placeOf("smtps://mail.example.org", "a")[0]).toMatchObject({ port: 465 });
    for (const text of ["http://x", "smtp://x:587", "no address", undefined])
      expect(placeOf(text, "a")).toEqual([]);
    const settings = readSettings({
      HELIOGRAPH_PUBLIC_URL: "https://api.example.org",
      HELIOGRAPH_KAFKA_BROKERS: "one:9093,[::1]:9094",
      HELIOGRAPH_KAFKA_TLS: "on",
    });
    expect(configuredPlaces(settings).map(({ host, port }) => `${host} ${port}`)).toEqual([
      "api.example.org 443",
      "one 9093",
      "::1 9094",
    ]);
  });

  test("room on a disk, clocks and migrations have their bounds", () => {
    const gib = 2 ** 30;
    expect(statusOfRoom({ free: gib, total: 100 * gib })).toBe("failed");
    expect(statusOfRoom({ free: 9 * gib, total: 100 * gib })).toBe("warning");
    expect(statusOfRoom({ free: 9 * gib, total: 20 * gib })).toBe("ok");
    expect(ofSkew(999).status).toBe("ok");
    expect(ofSkew(-5_000).summary).toContain("5.0 seconds behind this machine's");
    expect(ofDatabase("live", new Map([["log", 1]])).text).toMatch(/older release \(log\)/);
  });

  test("a consumer counts by what it does and how long it has stood still", () => {
    const row = { name: "x", kind: "reactor", position: 5n, head: undefined, rate: 0 };
    const shown = (status: string, behindMs: number, lag: number) =>
      ofConsumer({ ...row, status, behindMs, last_error: undefined }, lag).status;
    expect(shown("running", 0, 0)).toBe("ok");
    expect(shown("running", 30_000, 10)).toBe("ok");
    expect(shown("running", 90_000, 10)).toBe("warning");
    expect(shown("running", 400_000, 10)).toBe("failed");
    expect(shown("running", 400_000, 0)).toBe("ok");
    expect(shown("rebuilding", 0, 0)).toBe("warning");
    expect(shown("backing_off", 0, 0)).toBe("failed");
  });
});
