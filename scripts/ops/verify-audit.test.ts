import { randomUUID } from "node:crypto";
import { newId, streamOf } from "@heliograph/contracts";
import { afterFile } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { beforeAll, expect, test, vi } from "vitest";
import { service as control } from "../../services/control/src/index.ts";
import { service as ingress } from "../../services/ingress/src/index.ts";
import { openTarget } from "./target.ts";
import { verifyAudits } from "./verify-audit.ts";

/** One test after the other, on a log whose audit was anchored as the server stopped. */
const world = await openWorld({ services: [control, ingress] });
afterFile(() => world.close());
const target = await openTarget({
  HELIOGRAPH_DATABASE_URL: world.databaseUrl,
  HELIOGRAPH_LOG_LEVEL: "silent",
});
afterFile(() => target.close());
const pool = await target.pool("sandbox");

const { id: partner, key } = await world.addPartner();
const send = async (number: number): Promise<void> => {
  const body = { channel: "sms", to: `+1555123${number}`, text: "hello" };
  const answer = await world.call("POST", "/api/v1/messages", { key, body });
  expect(answer.status, answer.text).toBe(202);
};

type Given = { readonly from?: { readonly position: bigint; readonly hash: string } };
async function verify({ from }: Given = {}) {
  const written: string[] = [];
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  const { signal } = new AbortController();
  try {
    const sound = await verifyAudits(target, { only: "sandbox", from, signal });
    return { sound, text: written.join("") };
  } finally {
    out.mockRestore();
  }
}
/** As the owner of the tables can. */
const force = (sql: string) =>
  pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
const restore = () =>
  force(`delete from log.events; insert into log.events select * from kept_events;
    delete from log.head; insert into log.head select * from kept_head`);

beforeAll(async () => {
  for (let number = 1000; number < 1010; number++) await send(number);
  const message = newId("msg");
  const event = {
    id: randomUUID(),
    type: "HoldLapsed",
    data: { message_id: message, currency: "EUR" },
    metadata: { partner, actor: "service:wallet" },
  };
  const { log } = world.platform.contexts.sandbox;
  await log.append([{ stream: streamOf("hold", message), expected: "any", events: [event] }]);
  await world.restart();
  await send(2000);
  await force(
    "create table kept_events as table log.events; create table kept_head as table log.head",
  );
});

const wholeLine =
  /^sandbox-log: 12 rows are served as they follow from \d+ events; these are whole, and as rows of the audit had them at 1 positions; anchor (\d+):([0-9a-f]{64})$/m;

test("says that what is read from the log is whole, and goes on where it had come to", async () => {
  const first = await verify();
  expect(first.text).toMatch(wholeLine);
  expect(first.sound).toBe(true);
  const [, position, hash] = wholeLine.exec(first.text)!;
  const from = { position: BigInt(position!), hash: hash! };
  const second = await verify({ from });
  expect(second.text).toMatch(/^sandbox-log: 0 rows .* 0 events; .*at 0 positions; anchor/m);
  expect(second.sound).toBe(true);
});

const anew = "update log.events set chain = null; update log.head set sealed = 0, chain = ''";
const third =
  "(select position from log.events where type = 'MessageRequested' order by position offset 2 limit 1)";
const changeThird = `update log.events set metadata = jsonb_set(metadata::jsonb, '{actor}', '"key_other"')::text where position = ${third}`;
const rowThere = /row sandbox-log-\d{16} \(POST \/messages\)/;
test.each([
  ["a row was changed", changeThird, rowThere],
  ["a row was taken out", `delete from log.events where position = ${third}`, /no event up to/],
  [
    "a row was put in between",
    `update log.events set type = 'HoldLapsed', data = (select data from log.events where type = 'HoldLapsed') where position = ${third}`,
    /row sandbox-log-\d{16} \(HoldLapsed\)/,
  ],
  [
    "a row was put behind the end",
    `insert into log.events select position + 1, 'message-forged', 0, gen_random_uuid(), type, version, recorded_at, data, metadata, chain from log.events where position = (select position from log.head);
     update log.head set position = position + 1, sealed = sealed + 1`,
    /are not those that were sealed; read from there: row/,
  ],
  [
    "the newest rows were taken away, and the head put right",
    `delete from log.events where position > ${third};
     update log.head set (position, sealed, chain) = (select position, position, chain from log.events order by position desc limit 1)`,
    /taken away, and the chain made anew: no link of it ends there/,
  ],
  [
    "a row was changed and the chain made anew",
    `${changeThird}; ${anew}`,
    /and the chain made anew: no link of it ends there/,
  ],
  [
    "a row was changed and the chain made anew, with a link that ends where one did",
    `${changeThird}; ${anew}; update log.head set position = position - 1; select log.seal_next(); update log.head set position = position + 1`,
    /was changed, and the chain made anew: it comes to [0-9a-f]{64}, not to/,
  ],
])("finds that %s", async (_, sql, found) => {
  await force(sql);
  const { sound, text } = await verify();
  expect(text).toMatch(/^sandbox-log: FLAW at position \d+: /m);
  expect(text).toMatch(found);
  expect(sound).toBe(false);
  await restore();
});

test("finds nothing once all is as it was", async () => {
  expect(await verify()).toMatchObject({ sound: true });
});

test("finds that the row of the audit was changed that says what the log had come to", async () => {
  await force(
    `create table kept_audit as table control.audit; ${changeThird}; ${anew};
     update control.audit set changes = null where action = 'LogSealed'`,
  );
  const { sound, text } = await verify();
  expect(text).toMatch(/^sandbox: FLAW: .* was changed/m);
  expect(sound).toBe(false);
});
