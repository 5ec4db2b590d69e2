import { newId } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const pool = () => world.platform.contexts.sandbox.pool;

describe("a key that one kind of call has", () => {
  const post = (path: string, body: object | undefined, key: string, more: object = {}) =>
    world.call("POST", `/api/v1${path}`, {
      key: partner.key,
      ...(body !== undefined && { body }),
      ...more,
      headers: { "idempotency-key": key },
    });
  const codeOf = ({ status, body }: { status: number; body: { code?: string } }) => [
    status,
    body.code,
  ];
  const reused = [422, "idempotency_key_reused"];
  const upload = (key: string) =>
    world.call("POST", "/api/v1/contact-imports", {
      key: partner.key,
      raw: "name\nAda\n",
      headers: { "idempotency-key": key, "content-type": "text/csv" },
    });

  test("makes nothing of another kind, whichever comes first", async () => {
    const sent = newId("req");
    const { body: message } = await post("/messages", sms, sent);
    const refusals = [
      await post("/contacts", { name: "a" }, sent),
      await post("/messages/batch", { messages: [sms] }, sent),
      await upload(sent),
    ];
    for (const refusal of refusals)
      expect([codeOf(refusal), refusal.body.original]).toEqual([reused, message.id]);
    expect((await post("/messages", sms, sent)).body).toEqual(message);
    for (const first of [
      (key: string) => post("/contacts", { name: "a" }, key),
      (key: string) => post("/messages/batch", { messages: [sms] }, key),
      upload,
    ]) {
      const key = newId("req");
      const made = await first(key);
      expect(made.status).toBeLessThan(300);
      const refusal = await post("/messages", sms, key);
      expect(codeOf(refusal)).toEqual(reused);
      expect(refusal.body.original).toBe(made.headers.get("request-id"));
      const item = { ...sms, idempotency_key: key };
      const { body } = await post("/messages/batch", { messages: [item, sms] }, newId("req"));
      expect(body).toMatchObject({ accepted: 1, data: [{ error: { code: reused[1] } }, {}] });
      expect(codeOf(await post("/wallet/topups", { amount: "1" }, key))).toEqual(reused);
      expect((await first(key)).status).toBe(made.status);
    }
  });

  test("is refused to a batch that names what other calls have made, and the batch pays for its items", async () => {
    const [sent, older] = [newId("req"), newId("req")];
    await post("/messages", sms, sent);
    await post("/messages", sms, older);
    const known = { ...sms, idempotency_key: older };
    expect(codeOf(await post("/messages/batch", { messages: [known, sms] }, sent))).toEqual(reused);
    const { key } = await world.addPartner({ rateLimit: { requests: 4, window_seconds: 1_000 } });
    const call = (path: string, body: object) =>
      world.call("POST", `/api/v1${path}`, { key, body, headers: { "idempotency-key": sent } });
    expect((await call("/messages", sms)).status).toBe(202);
    expect(codeOf(await call("/messages/batch", { messages: [sms, sms, sms] }))).toEqual(reused);
    expect((await call("/messages", sms)).status).toBe(429);
  });

  test("is that of a whole batch: another one is refused, and one of which nothing was taken claims none", async () => {
    const key = newId("req");
    const wrong = { ...sms, to: "nobody" };
    const batch = (...messages: object[]) => post("/messages/batch", { messages }, key);
    expect((await batch(wrong)).body).toMatchObject({ accepted: 0 });
    const first = await batch(sms, wrong);
    expect(first.body).toMatchObject({ accepted: 1, refused: 1 });
    expect(codeOf(await batch({ ...sms, text: "Other" }, sms, sms))).toEqual(reused);
    const again = await batch(sms, wrong);
    expect(again.body.data[0]).toEqual(first.body.data[0]);
    // Its refusal names the request, and so is no repetition.
    expect(again.headers.get("idempotent-replayed")).toBeNull();
  });

  const rowOf = (key: string, change: string) =>
    pool().query(`update ingress.idempotency set ${change} where key = $1`, [key]);
  const unfinished = "done = false, answer = null, lease_until = now() - interval '1 second'";

  test("of an unfinished call is the call's own, although a message has it, and no refusal of a repetition forgets it", async () => {
    const own = newId("req");
    const messages = [{ ...sms, idempotency_key: own }, sms];
    const first = await post("/messages/batch", { messages }, own);
    expect(first.body).toMatchObject({ accepted: 2 });
    await rowOf(own, unfinished);
    expect((await post("/messages/batch", { messages }, own)).text).toBe(first.text);
    // What came of it once its claim is dropped, or where an earlier release kept none.
    await pool().query("delete from ingress.idempotency where key = $1", [own]);
    expect((await post("/messages/batch", { messages }, own)).text).toBe(first.text);
    expect(codeOf(await post("/contacts", { name: "a" }, own))).toEqual(reused);

    const sent = newId("req");
    await post("/messages", sms, sent);
    const made = newId("req");
    const make = (key: string) => post("/webhook-endpoints", { url: "https://example.com/" }, key);
    expect((await make(made)).status).toBe(201);
    expect(codeOf(await make(sent))).toEqual(reused);
    await rowOf(made, `${unfinished}, key = '${sent}'`);
    expect((await make(sent)).status).toBe(201);

    const [gone, later] = [newId("req"), newId("req")];
    const { body } = await post(
      "/webhook-endpoints",
      { url: "https://example.com/" },
      newId("req"),
    );
    const remove = (key: string) =>
      world.call("DELETE", `/api/v1/webhook-endpoints/${body.id}`, {
        key: partner.key,
        headers: { "idempotency-key": key },
      });
    expect((await remove(gone)).status).toBe(204);
    await rowOf(gone, `${unfinished}, key = '${later}'`);
    expect((await remove(later)).status).toBe(404);
    expect(codeOf(await post("/contacts", { name: "a" }, later))).toEqual(reused);
  });

  test("by the claim of another process is refused while that runs, and as another's afterwards", async () => {
    const [from, key] = [newId("req"), newId("req")];
    const made = await post("/contacts", { name: "a" }, from);
    await rowOf(from, `done = false, lease_until = now() + interval '1 minute', key = '${key}'`);
    const send = () => post("/messages", sms, key);
    expect(codeOf(await send())).toEqual([409, "idempotency_in_progress"]);
    await rowOf(key, "lease_until = now()");
    const refused = await send();
    expect([codeOf(refused), refused.body.original]).toEqual([
      reused,
      made.headers.get("request-id"),
    ]);
  });

  test("is not guessed: a send is 503 where nobody says whether its key is taken, and nothing is stored", async () => {
    await post("/contacts", { name: "a" }, newId("req"));
    const key = newId("req");
    const query = pool().query.bind(pool()) as (...given: unknown[]) => unknown;
    const asked = vi
      .spyOn(pool(), "query")
      .mockImplementation(((...given: unknown[]) =>
        (given[0] as { name?: string }).name === "ingress.taken"
          ? Promise.reject(new Error("connection terminated"))
          : query(...given)) as never);
    const failed = await post("/messages", sms, key);
    expect(asked).toHaveBeenCalledWith(expect.objectContaining({ name: "ingress.taken" }));
    asked.mockRestore();
    expect(codeOf(failed)).toEqual([503, "log_unavailable"]);
    const sent = await post("/messages", sms, key);
    expect([sent.status, sent.headers.get("idempotent-replayed")]).toEqual([202, null]);
  });

  test("is kept while a batch that had it is still on its way into the log", async () => {
    const key = newId("req");
    const { log } = world.platform.contexts.sandbox;
    const append = log.append.bind(log);
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = vi.spyOn(log, "append").mockImplementationOnce(async (appends) => {
      reached.resolve();
      await released.promise;
      return append(appends);
    });
    const batch = () => post("/messages/batch", { messages: [sms] }, key);
    const first = batch();
    await reached.promise;
    await pool().query("delete from ingress.idempotency where key = $1", [key]);
    const beside = await batch();
    const other = await post("/webhook-endpoints", { url: "https://example.com/" }, key);
    released.resolve();
    expect((await first).body.accepted).toBe(1);
    expect(codeOf(beside)).toEqual([409, "idempotency_in_progress"]);
    expect(codeOf(other)).toEqual(reused);
    held.mockRestore();
  });

  test("is kept by what is accepted beside the try that claimed it, and does not hang on the order of a query", async () => {
    const key = newId("req");
    const batch = () => post("/messages/batch", { messages: [sms] }, key);
    expect((await batch()).body.accepted).toBe(1);
    await rowOf(key, "done = false, lease_until = now() + interval '1 minute'");
    expect((await batch()).body.accepted).toBe(1);
    const { rows } = await pool().query("select done from ingress.idempotency where key = $1", [
      key,
    ]);
    expect(rows).toEqual([{ done: true }]);

    const file = newId("req");
    const store = (query: string) =>
      world.call("POST", `/api/v1/attachments?${query}`, {
        key: partner.key,
        raw: "file",
        headers: { "idempotency-key": file, "content-type": "text/plain" },
      });
    const contact = (await post("/contacts", { name: "a" }, newId("req"))).body.id;
    const first = await store(`name=a.txt&contact_id=${contact}`);
    const again = await store(`contact_id=${contact}&name=a.txt`);
    expect([first.status, again.status, again.body.id]).toEqual([201, 201, first.body.id]);
  });
});
