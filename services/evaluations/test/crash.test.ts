import { fileURLToPath } from "node:url";
import { streamOf } from "@heliograph/contracts";
import { startServices } from "@heliograph/platform";
import { spawnService, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { linkIn, openScene } from "./scene.ts";
import { service } from "../src/index.ts";

const entry = fileURLToPath(new URL("../src/main.ts", import.meta.url));

test("an evaluation whose making is killed at every step is made once, with one tenant, one link that works and one entry of funds", async () => {
  const scene = await openScene({ consumers: "tables" });
  const { world } = scene;
  const { platformLog, platformPool, contexts, settings } = world.platform;
  try {
    const { id, email } = await scene.ask({ company: "Killed Ltd" });
    for (const failpoint of ["sandbox", "provisioned", "slack"]) {
      const child = spawnService(entry, {
        HELIOGRAPH_DATABASE_URL: world.databaseUrl,
        HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
        HELIOGRAPH_SLACK_WEBHOOK_URL: settings.slackWebhookUrl!,
        HELIOGRAPH_PUBLIC_URL: settings.publicUrl!,
        HELIOGRAPH_FAILPOINT: `evaluations.after_${failpoint}:kill`,
      });
      const { signal } = await child.exited;
      if (signal !== "SIGKILL") throw new Error(`${failpoint} was not passed:\n${child.output()}`);
    }
    const running = await startServices(world.platform, [service]);
    try {
      const mail = await scene.mailTo(email);
      const { body } = await scene.manage("GET", `/${id}`);
      expect(body).toMatchObject({ status: "provisioned", promised_by: expect.any(String) });
      expect(
        (
          await platformLog.readAll({ after: 0n, limit: 1_000, types: ["PartnerCreated"] })
        ).events.filter(({ data }) => data.name === "Killed Ltd").length,
      ).toBe(1);
      expect((await platformLog.readStream(streamOf("partner", body.partner_id))).length).toBe(1);
      const funds = await contexts.sandbox.log.readStream(streamOf("wallet", body.partner_id));
      expect(funds.map(({ type }) => type)).toEqual(["FundsToppedUp"]);
      const types = (await platformLog.readStream(streamOf("evaluation", id))).map(
        ({ type }) => type,
      );
      expect(types).toEqual(["EvaluationRequested", "EvaluationProvisioned"]);
      // In place of the lease of the process that was killed with the message in hand: Slack had it, and nobody knows.
      await platformPool.query(
        "update evaluation_desk.notices set due_at = now() where kind = 'requested'",
      );
      await until(async () => {
        const kinds = await platformPool.query(
          "select kind from evaluation_desk.notices order by due_at",
        );
        return kinds.rows.map(({ kind }) => kind).join() === "half,last_hour";
      });
      expect(scene.told()).toHaveLength(2);
      const key = await scene.fetchKey(linkIn(mail.text));
      expect((await world.call("GET", "/api/v1/balance", { key })).body.available).toBe("1200");
      await until(async () => (await scene.manage("GET", `/${id}`)).body.key_shown_at !== null);
      expect(scene.mails(email)).toHaveLength(1);
    } finally {
      await running.stop();
    }
  } finally {
    await scene.close();
  }
}, 90_000);
