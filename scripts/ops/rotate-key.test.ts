import { hash, randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { openSecret, sealSecret, streamOf } from "@heliograph/contracts";
import { evolveEndpoint, type Endpoint } from "@heliograph/domain";
import { openPlatform } from "@heliograph/platform";
import { openVault } from "@heliograph/vault";
import { spawnService, until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { services } from "../../services/ingress/src/index.ts";
import { lookAtMasterKey } from "./doctor/small.ts";
import { rotateKey } from "./rotate-key/index.ts";
import { platformColumns } from "./rotate-key/places.ts";
import { openTarget, type Target } from "./target.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const [old, next] = [randomBytes(32), randomBytes(32)];
const both = [next, old].map((key) => key.toString("hex")).join(",");
let world: World;
let sink: WebhookSink;
let target: Target;
let partner: string;
let key: string;
let admin: string;

beforeAll(async () => {
  sink = await webhookSink();
  world = await openWorld({
    services: services.filter(({ name }) => ["control", "webhooks"].includes(name)),
    consumers: "run",
    // As every process is given them before the rotation begins: the first start seals with the first one.
    env: {
      HELIOGRAPH_MASTER_KEY: [old, next].map((each) => each.toString("hex")).join(","),
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.1/32",
    },
  });
  partner = (await world.addPartner()).id;
  key = await world.addKey(partner);
  admin = await world.addKey(partner, { admin: true });
  target = await openTarget(environment());
}, 120_000);
afterAll(async () => {
  await target.close();
  await world.close();
  await sink.close();
});

const environment = (failpoint = "") => ({
  HELIOGRAPH_DATABASE_URL: world.databaseUrl,
  HELIOGRAPH_MASTER_KEY: both,
  HELIOGRAPH_FAILPOINT: failpoint,
  NO_COLOR: "1",
});
/** What a run says, and whether it says that it is done. */
async function run(checkOnly = false) {
  let said = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  try {
    return { done: await rotateKey(target, checkOnly, new AbortController().signal), said };
  } finally {
    write.mockRestore();
  }
}
const fingerprint = (of: Buffer): string => hash("sha256", of, "hex").slice(0, 16);
const sandbox = () => world.platform.contexts.sandbox;

async function endpointOf(id: string): Promise<Endpoint> {
  let endpoint: Endpoint | undefined;
  for await (const event of sandbox().log.scanStream(streamOf("endpoint", id)))
    endpoint = evolveEndpoint(endpoint, event);
  return endpoint!;
}

test("a rotation seals everything anew while services go on, whatever kills it, and is done when every process has started again and two runs in a row find nothing", async () => {
  const call = (path: string, body: object, headers = {}) =>
    world.call("POST", `/api/v1${path}`, { key, body, headers });
  const made = await call(
    "/webhook-endpoints",
    { url: sink.url, event_types: ["message.sent"], headers: { "x-password": "hush" } },
    { "idempotency-key": "once" },
  );
  expect(made.body).toMatchObject({ secret: expect.any(String) });
  const { id, secret } = made.body;
  const gateway = await world.call("POST", "/api/v1/admin/gateways", {
    key: admin,
    body: {
      name: "maker",
      channel: "sms",
      kind: "http",
      settings: { url: `${sink.url}/send`, success: { id: "/id" } },
      secrets: { headers: '{"x-token":"hush"}' },
    },
  });
  expect(gateway.body).toMatchObject({ name: "maker" });
  const subject = { partner, subject: "adr_1" };
  const token = (await sandbox().vault.seal(subject))("Ada");
  const name = sandbox().vault.name("x");
  const mail = randomUUID();
  const { platformPool } = world.platform;
  await platformPool.query(
    "insert into credentials.mails (id, sealed, due_at) values ($1, $2, now() + interval '1 day')",
    [mail, sealSecret(world.platform.masterKey, "a mail")],
  );

  expect(await run(true)).toMatchObject({
    done: false,
    said: expect.stringMatching(/^left under the key before: [6-9];/m),
  });
  await platformPool.query(
    "insert into platform.processes (id, name, seals_with) values (gen_random_uuid(), 'wallet (away/7)', $1)",
    [fingerprint(old)],
  );
  await expect(run()).rejects.toThrow(/these lack the new one: wallet \(away\/7\)$/);
  expect(await lookAtMasterKey(target), "nothing has begun").toMatchObject({ status: "ok" });
  // One that was killed holds up nothing for longer than a minute.
  await platformPool.query(
    "update platform.processes set seen_at = now() - interval '61 seconds' where name = 'wallet (away/7)'",
  );
  const killed = spawnService(main, environment("rotate_key.page:kill@2"), ["rotate-key"]);
  expect(await killed.exited).toMatchObject({ signal: "SIGKILL" });
  const { settings, server } = target;
  const own = `heliograph (${hostname()}/${process.pid})`;
  expect(await lookAtMasterKey({ settings, server })).toMatchObject({
    status: "warning",
    summary: expect.stringContaining(own),
  });
  // The answer to the first request cannot be sealed anew, and is gone a day later.
  expect(await run()).toMatchObject({
    done: false,
    said: expect.stringMatching(/^left under the key before: 1;/m),
  });
  await sandbox().pool.query(
    "update ingress.idempotency set created_at = now() - interval '26 hours'",
  );
  // This process was not started again, and goes on with the key before: it is named, however little there is to find.
  for (const checkOnly of [false, false, true])
    expect(await run(checkOnly)).toMatchObject({
      done: false,
      said: expect.stringContaining(`seal with the key before: ${own}.`),
    });
  const again = await openPlatform(world.platform.settings, server, "given", target.logger);
  const { rows: shown } = await platformPool.query(
    "select seals_with, opens_too from platform.processes where name = $1 and seals_with = $2",
    [own, fingerprint(next)],
  );
  // Beside that of the test's own platform, which has the same name.
  expect(shown).toEqual([{ seals_with: fingerprint(next), opens_too: fingerprint(old) }]);
  await again.close();
  const { rows: ended } = await platformPool.query(
    "update platform.processes set seals_with = $1 where name = $2 returning name",
    [fingerprint(next), own],
  );
  expect(ended, "one that ends is shown no more").toHaveLength(1);
  expect(await run()).toMatchObject({ done: false, said: expect.stringContaining("once more") });
  // Whoever seals with the key before and is known to nobody is found by what it seals.
  await platformPool.query("update credentials.mails set sealed = $2 where id = $1", [
    mail,
    sealSecret(old, "a mail"),
  ]);
  expect((await run(true)).done).toBe(false);
  expect(await run()).toMatchObject({
    done: false,
    said: expect.stringMatching(/^1 had been sealed with the key before/m),
  });
  expect(await run()).toMatchObject({ done: false, said: expect.stringContaining("once more") });
  expect(await run()).toMatchObject({ done: true, said: expect.stringMatching(/^Done:/m) });
  expect((await run(true)).done).toBe(true);
  expect(await lookAtMasterKey({ settings, server })).toMatchObject({ status: "ok" });
  await platformPool.query("update platform.processes set seals_with = $1", [fingerprint(old)]);
  expect(await lookAtMasterKey({ settings, server })).toMatchObject({ status: "failed" });

  const vault = await openVault(sandbox().pool, next, "sandbox");
  expect((await vault.open(partner, token))(token)).toBe("Ada");
  expect(vault.name("x")).toBe(name);
  const endpoint = await endpointOf(id);
  expect(openSecret(next, endpoint.secrets[0]!.sealed)).toBe(secret);
  expect(openSecret(next, endpoint.sealed_headers!)).toBe('{"x-password":"hush"}');
  const { rows } = await platformPool.query("select sealed from credentials.mails where id = $1", [
    mail,
  ]);
  expect(openSecret(next, rows[0].sealed)).toBe("a mail");
  const [{ data } = { data: undefined }] = await world.platform.platformLog.readStream(
    streamOf("gateway", gateway.body.id),
    { backwards: true, limit: 1 },
  );
  const { secrets } = data as unknown as { secrets: { headers: string } };
  expect(openSecret(next, secrets.headers)).toContain("hush");

  await call(`/webhook-endpoints/${id}/test`, {});
  const [request] = await until(() => sink.requests.length > 0 && sink.requests);
  new Webhook(secret).verify(request!.body, request!.headers as Record<string, string>);
  expect(request!.headers["x-password"]).toBe("hush");
}, 120_000);

test("a key that is the installation's already is not rotated back by the order in which the two are given", async () => {
  const { settings } = target;
  const turned = { ...settings, masterKey: both };
  await expect(
    rotateKey({ ...target, settings: turned }, false, new AbortController().signal),
  ).rejects.toThrow(/the first of the two keys is the installation's already/);
  const alone = { ...target, settings: { ...settings, masterKey: next.toString("hex") } };
  await expect(rotateKey(alone, true, new AbortController().signal)).rejects.toThrow(
    /give two keys/,
  );
});

test("every column that holds what the master key sealed has its place in the rotation", async () => {
  const elsewhere = ["platform.installation.key_sample", "platform.installation.key_sample_before"];
  const { rows } = await world.platform.platformPool.query(
    `select table_schema || '.' || table_name || '.' || column_name as name from information_schema.columns
      where table_schema not in ('pg_catalog', 'information_schema') and column_name ~ 'sealed|sample|totp|told|wrapped|secret' and data_type in ('text', 'bytea')`,
  );
  const known = Object.values(platformColumns).map(({ table, column }) => `${table}.${column}`);
  const found = rows.map((row) => row.name as string);
  expect(found.length).toBeGreaterThan(2);
  expect(found.filter((each) => ![...known, ...elsewhere].includes(each))).toEqual([]);
});
