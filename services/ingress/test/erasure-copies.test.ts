import { newId } from "@heliograph/contracts";
import { copyLog, openEventStoreCopyTarget, openEventStoreLog } from "@heliograph/log";
import { rebuildProjector, type Projector, type ServiceContext } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { services } from "../src/index.ts";
import { everything, formsOf } from "./stored.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services, consumers: "run" });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const sandbox = (): ServiceContext => world.platform.contexts.sandbox;
const call = (method: string, path: string, body?: object) =>
  world.call(method, `/api/v1${path}`, {
    key: partner.key,
    headers: { "idempotency-key": newId("req") },
    ...(body !== undefined && { body }),
  });

let count = 0;
/** Somebody who wrote and was answered and noted down; what was written begins with the name. */
async function somebody(name: string) {
  const from = `+1555888${String(1_000 + ++count)}`;
  await call("POST", "/sandbox/inbound", {
    channel: "sms",
    from,
    text: `${name} asks`,
    profile_name: `${name} herself`,
  });
  const conversation = await until(async () => {
    const { body } = await call("GET", "/conversations");
    return body.data.find(({ address }: { address: { id: string } }) => address.id === from);
  });
  const path = `/conversations/${conversation.id}`;
  expect((await call("POST", `${path}/notes`, { text: `${name} noted` })).status).toBe(201);
  const reply = await call("POST", `${path}/messages`, { text: `${name} answered` });
  await until(async () => {
    const { body } = await call("GET", `/messages/${reply.body.id}`);
    return body.status === "delivered";
  });
  return { from, contact: conversation.contact.id as string };
}

async function erase(contact: string): Promise<void> {
  expect((await call("DELETE", `/contacts/${contact}`)).status).toBe(202);
  await until(
    async () => (await call("GET", `/contacts/${contact}/erasure`)).body.status === "completed",
  );
}

const projectors = (): readonly Projector[] =>
  services.flatMap(({ consumers }) =>
    (consumers?.(sandbox()) ?? []).filter((each): each is Projector => each.kind === "projector"),
  );

test("a copy of the log that was made before the erasure reads [erased] after it", async () => {
  const double = await eventStoreDouble();
  onTestFinished(() => double.close());
  const { contact, from } = await somebody("Copia");
  const other = await somebody("Other");
  const { log: own, vault } = sandbox();
  const signal = new AbortController().signal;
  const options = { connectionString: double.connectionString, namespace: "sandbox" };
  const target = await openEventStoreCopyTarget(options);
  await copyLog({ source: own, target, signal });
  await target.close();
  const copy = await openEventStoreLog(options);
  onTestFinished(() => copy.close());

  const read = async (log: Pick<typeof own, "readAll">): Promise<string> => {
    const texts: string[] = [];
    for (let after = 0n; ;) {
      const page = await log.readAll({ after, limit: 500 });
      texts.push(...page.events.map(({ data, metadata }) => JSON.stringify({ data, metadata })));
      if (page.position >= page.head) break;
      after = page.position;
    }
    return (await vault.openJson(partner.id, texts)).join("\n");
  };
  expect(await read(copy)).toContain("Copia asks");
  await erase(contact);
  const after = await read(copy);
  expect(after).not.toMatch(/Copia/);
  expect(after).not.toContain(from.slice(1));
  expect(after).toContain("[erased]");
  expect(after).toContain("Other asks");
  expect(after).toContain(other.from);
}, 60_000);

/** Holds a rebuild when it has read so far, until it is let go. */
function heldAt(context: ServiceContext, position: bigint) {
  let reached = (): void => undefined;
  let go = (): void => undefined;
  const there = new Promise<void>((resolve) => (reached = resolve));
  const gone = new Promise<void>((resolve) => (go = resolve));
  const { log } = context;
  const held: typeof log = Object.create(log, {
    readAll: {
      value: async (options: Parameters<typeof log.readAll>[0]) => {
        const page = await log.readAll({ ...options, limit: Math.min(options.limit ?? 5, 5) });
        if (page.position >= position) {
          reached();
          await gone;
        }
        return page;
      },
    },
  });
  return { context: { ...context, log: held }, there, go };
}

test("an erasure in the middle of a rebuild leaves nothing in any projection, and each is what the log says", async () => {
  const name = "Rebuilda";
  const { contact, from } = await somebody(name);
  const names = projectors().map((projector) => projector.name);
  for (const people of ["contacts", "contact-activity", "conversations", "mobile", "suppressions"])
    expect(names).toContain(people);
  const head = (await sandbox().log.readAll({ after: 0n, limit: 1 })).head;
  const signal = new AbortController().signal;
  // Each has read the person's data, or all that there is of it, when the keys go.
  const rebuilds = projectors().map((projector) => {
    const { context, there, go } = heldAt(sandbox(), head);
    return {
      projector,
      there,
      go,
      done: rebuildProjector(context, projector, { verifyOnly: false, signal }),
    };
  });
  await Promise.all(rebuilds.map(({ there, done }) => Promise.race([there, done])));
  await erase(contact);
  // One after another: each takes connections of its own to end.
  for (const { go, done } of rebuilds) {
    go();
    await done;
  }
  await until(async () => {
    const stored = await everything(sandbox().pool);
    for (const text of [name, from.slice(1)])
      for (const form of formsOf(text))
        if (stored.includes(form))
          throw new Error(stored.split("\n").find((line) => line.includes(form)));
    return true;
  });
  for (const projector of projectors()) {
    await until(async () => {
      const result = await rebuildProjector(sandbox(), projector, { verifyOnly: true, signal });
      if (result.equal !== true)
        throw new Error(`${projector.name} differs: ${String(result.differs)}`);
      return result;
    });
  }
  expect((await call("GET", `/contacts?q=${name}`)).body.data).toEqual([]);
  expect((await call("GET", "/conversations")).text).not.toContain(name);
}, 120_000);
