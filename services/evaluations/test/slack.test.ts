import { freePort, until, webhookSink } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { openScene } from "./scene.ts";

test("a Slack that is down at the start, broken, busy and slow gets each message once, in order, and reminders only where nobody answered", async () => {
  const port = await freePort();
  const scene = await openScene({
    env: { HELIOGRAPH_SLACK_WEBHOOK_URL: `http://127.0.0.1:${port}/services/T0/B0/secret` },
  });
  const { platformPool } = scene.world.platform;
  const waiting = async (kind: string): Promise<readonly { tries: number }[]> =>
    (await platformPool.query("select tries from evaluation_desk.notices where kind = $1", [kind]))
      .rows;
  try {
    const first = await scene.ask({ company: "First" });
    await scene.mailTo(first.email);
    await until(async () => (await waiting("requested")).some(({ tries }) => tries > 1));
    const second = await scene.ask({ company: "Second" });
    await scene.mailTo(second.email);
    // However long it takes: nobody's request is given up, and operators see that the team does not know of it.
    await platformPool.query(
      "update evaluation_desk.notices set first_due_at = first_due_at - interval '8 days' where kind = 'requested'",
    );
    const { tries: before } = (await waiting("requested")).toSorted(
      (a, b) => b.tries - a.tries,
    )[0]!;
    await until(async () => (await waiting("requested")).some(({ tries }) => tries > before));
    const report = async () => (await scene.manage("GET", "/report")).body;
    const untold = await report();
    expect(untold.untold).toBe(2);
    expect(Date.parse(untold.untold_since)).toBeLessThan(Date.now() - 8 * 86_400_000);
    const slack = await webhookSink({ port });
    try {
      slack.queue(
        { type: "answer", status: 500 },
        { type: "answer", status: 429, headers: { "retry-after": "3" } },
        { type: "answer", delayMs: 300, body: "ok" },
        // One that Slack does not take holds nobody up.
        { type: "answer", status: 400, body: "invalid_blocks" },
      );
      await until(async () => (await waiting("requested")).length === 0, { timeoutMs: 20_000 });
      expect(await report()).toMatchObject({ untold: 0, untold_since: null });
      const texts = slack.requests.map(({ body }) => JSON.parse(body).text as string);
      expect(texts.map((text) => /Company: (\w+)/.exec(text)![1])).toEqual([
        "First",
        "First",
        "First",
        "Second",
        "Second",
      ]);
      const [, busy, after] = slack.requests;
      expect(after!.at.getTime() - busy!.at.getTime()).toBeGreaterThanOrEqual(2_950);

      expect((await waiting("half")).length + (await waiting("last_hour")).length).toBe(4);
      await scene.manage("POST", `/${second.id}/assign`, { contact: "ann@example.org" });
      const told = slack.requests.length;
      // In place of the business day.
      await platformPool.query(
        "update evaluation_desk.notices set due_at = now() where kind = 'half'",
      );
      await until(async () => (await waiting("half")).length === 0);
      await platformPool.query("update evaluation_desk.notices set due_at = now()");
      await until(async () => (await waiting("last_hour")).length === 0);
      const reminders = slack.requests
        .slice(told)
        .map(({ body }) => JSON.parse(body).text as string);
      expect(reminders).toEqual([
        expect.stringMatching(/half of the time is gone\nCompany: First\n/),
        expect.stringMatching(/an hour is left\nCompany: First\n/),
      ]);
      // What nobody asked for stands in the audit too: whose turn it was, and that the team was reminded.
      const own = async (target: string) =>
        (await scene.auditOf(target, "EvaluationProvisioned")).body.data
          .filter(({ actor }: { actor: string }) => actor === "service:evaluations")
          .map(({ action }: { action: string }) => action);
      expect(await own(first.id)).toEqual([
        "EvaluationReminded",
        "EvaluationReminded",
        "EvaluationProvisioned",
      ]);
      expect(await own(second.id)).toEqual(["EvaluationProvisioned"]);
    } finally {
      await slack.close();
    }
  } finally {
    await scene.close();
  }
}, 60_000);
