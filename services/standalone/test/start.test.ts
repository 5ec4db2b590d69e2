import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  apiClient,
  launchInstance,
  postgresProcesses,
  readInstance,
  startInstance,
  testServer,
  until,
} from "@heliograph/testkit";
import { describe, expect, it } from "vitest";
import { afterAllStop, clientsOf, example, ownDataDir, reached, send } from "./setting.ts";

describe("npm start", () => {
  it("writes dev.json once it is ready, and finds its data again", async () => {
    const dataDir = ownDataDir();
    const first = await startInstance({ dataDir, finds: "nothing" });
    // Also when an expectation fails before the stop below.
    afterAllStop(first);
    expect(readInstance(dataDir)).toEqual({
      baseUrl: `http://127.0.0.1:${first.port}`,
      agent: { email: expect.any(String), password: expect.any(String) },
      operator: { email: expect.any(String), password: expect.any(String) },
      consoleUrl: expect.stringContaining(`http://127.0.0.1:${first.port}/`),
      sandboxKey: expect.stringMatching(/^ak_test_[0-9A-Za-z]{36}$/),
      liveKey: expect.stringMatching(/^ak_live_[0-9A-Za-z]{36}$/),
      adminKey: expect.stringMatching(/^ak_admin_[0-9A-Za-z]{36}$/),
      databaseUrl: expect.stringMatching(/^postgres(ql)?:\/\//),
      pid: first.pid,
    });
    expect(statSync(join(dataDir, "dev.json")).mode & 0o077).toBe(0);
    const { sandbox } = clientsOf(first);
    expect((await sandbox.get("/readyz")).status).toBe(200);
    expect((await sandbox.get("/healthz")).status).toBe(200);
    const key = { "idempotency-key": "over-the-restart" };
    const sent = await sandbox.post("/messages", example, key);
    expect(sent.status).toBe(202);
    await reached(sandbox, sent.body.id, "delivered");

    // Ctrl-C arrives twice: from the terminal and from npm.
    first.kill("SIGTERM");
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(readInstance(dataDir)).toBeUndefined();
    const second = await startInstance({ dataDir });
    afterAllStop(second);
    expect(second.sandboxKey).toBe(first.sandboxKey);
    const after = clientsOf(second).sandbox;
    expect((await after.get(`/messages/${sent.body.id}`)).body.status).toBe("delivered");
    const again = await after.post("/messages", example, key);
    expect([again.status, again.text]).toEqual([202, sent.text]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  }, 60_000);

  it("accepts durably with the ingress alone, and delivers when everything runs", async () => {
    const dataDir = ownDataDir();
    const alone = await startInstance({ dataDir, env: { HELIOGRAPH_SERVICES: "ingress" } });
    afterAllStop(alone);
    const id = await send(clientsOf(alone).sandbox, example);
    alone.kill("SIGKILL");
    await alone.exited;
    const whole = await startInstance({ dataDir });
    afterAllStop(whole);
    expect(await reached(clientsOf(whole).sandbox, id, "delivered")).toMatchObject({ id });
  }, 60_000);

  it("refuses to serve one data folder twice", async () => {
    const dataDir = ownDataDir();
    const first = await startInstance({ dataDir, env: { HELIOGRAPH_SERVICES: "ingress" } });
    afterAllStop(first);
    const second = await launchInstance({ dataDir });
    expect((await second.exited).code).toBe(2);
    expect(second.output()).toMatch(/in use by process \d+/);
    // The first one's address is still there for those who look it up.
    expect(readInstance(dataDir)?.pid).toBe(first.pid);
    expect((await apiClient(first.baseUrl, first.sandboxKey).get("/readyz")).status).toBe(200);
  }, 60_000);

  it("never makes a lost master key anew, and goes on when the file is put back", async () => {
    const dataDir = ownDataDir();
    const env = { HELIOGRAPH_SERVICES: "ingress" };
    const first = await startInstance({ dataDir, env });
    await first.stop();
    const path = join(dataDir, "master.key");
    const key = readFileSync(path);
    rmSync(path);
    const refused = await launchInstance({ dataDir, env });
    expect(await refused.exited).toEqual({ code: 2, signal: null });
    expect(refused.output()).toMatch(/^heliograph: .*master\.key is missing[^\n]*\n$/m);
    expect(existsSync(path)).toBe(false);
    // Refused with one line, and nothing of it is left running.
    expect(postgresProcesses(dataDir)).toEqual([]);
    writeFileSync(path, key);
    const again = await startInstance({ dataDir, env });
    afterAllStop(again);
    expect(again.sandboxKey).toBe(first.sandboxKey);
  }, 60_000);

  it("makes no demo partner on a given database, unless it is asked to", async () => {
    const server = await testServer();
    const url = new URL(server.baseUrl);
    url.pathname = `/${server.namePrefix}given`;
    const env = {
      HELIOGRAPH_DATABASE_URL: url.toString(),
      HELIOGRAPH_SERVICES: "ingress",
      HELIOGRAPH_DEMO: "",
    };
    const dataDir = ownDataDir();
    const plain = await startInstance({ dataDir, env });
    afterAllStop(plain);
    const { baseUrl, consoleUrl, databaseUrl, pid } = plain;
    expect(readInstance(dataDir)).toEqual({ baseUrl, consoleUrl, databaseUrl, pid });
    // It is ready a moment before it says so.
    await until(() => plain.output().includes("npm run ops -- create-partner"));
    await plain.stop();
    const asked = await startInstance({ dataDir, env: { ...env, HELIOGRAPH_DEMO: "on" } });
    afterAllStop(asked);
    expect((await clientsOf(asked).sandbox.get("/balance")).body.available).toBe("1200");
    await asked.stop();
    await server.dropAll();
  }, 60_000);

  it("stops with one line that names the setting", async () => {
    const settings = {
      HELIOGRAPH_PORT: "http",
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "localhost",
      HELIOGRAPH_SMTP_URL: "mail.example.com",
    };
    const dataDir = ownDataDir();
    for (const [variable, value] of Object.entries(settings)) {
      const refused = await launchInstance({ dataDir, env: { [variable]: value } });
      expect(await refused.exited).toEqual({ code: 2, signal: null });
      const lines = refused.output().trim().split("\n");
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(variable);
    }
  });
});
