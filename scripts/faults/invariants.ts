import { apiClient } from "@heliograph/testkit";
import { checkFeedAndWebhooks } from "./check-feed.ts";
import { checkFunds } from "./check-funds.ts";
import { checkMessages } from "./check-messages.ts";
import { checkDeadLetters, checkProjections } from "./check-projections.ts";
import { readLog, type Stored } from "./log.ts";
import { checkTopic, readTopic } from "./check-topics.ts";
import { newVerdict, type Verdict } from "./verdict.ts";
import type { World } from "./world.ts";

/**
 * Compares journals, log, API and read models of a world that has come to rest. Gives a sentence for each thing that does not hold, numbered as in
 * `docs/concepts/guarantees.md`; none means that everything held.
 * `but` is a partner whose events are left out, for who has another oracle: positions have gaps then, and the read models, which are of all partners, are not made anew.
 */
export async function checkInvariants(
  world: World,
  { but }: { readonly but?: string } = {},
): Promise<readonly string[]> {
  const verdict = newVerdict();
  const { baseUrl } = world.instance;
  const gaps = world.eventStore !== undefined || but !== undefined;
  for (const environment of ["sandbox", "live"] as const) {
    const log = await readLog(world, environment, but);
    checkOrder(log, gaps, verdict);
    const topic = await readTopic(world, environment);
    const tenants = world.tenants.filter((tenant) => tenant.environment === environment);
    for (const tenant of tenants) {
      const own = log.filter((event) => event.metadata.partner === tenant.partner);
      const client = apiClient(baseUrl, tenant.key, { checked: false });
      await checkMessages(world, tenant, client, own, verdict);
      await checkFunds(tenant, client, own, verdict);
      const feed = await checkFeedAndWebhooks(world, tenant, client, verdict);
      if (world.brokers !== undefined) checkTopic(tenant, feed, topic, verdict);
    }
  }
  if (but === undefined) await checkProjections(world, verdict);
  await checkDeadLetters(world, verdict);
  return verdict.violations;
}

/** 9: revisions are dense, and positions are too where the log counts events; elsewhere they grow. Both go up together. */
function checkOrder(log: readonly Stored[], gaps: boolean, verdict: Verdict): void {
  const revisions = new Map<string, number>();
  const ids = new Set<string>();
  for (const [index, event] of log.entries()) {
    if (gaps ? event.position <= (log[index - 1]?.position ?? -1) : event.position !== index + 1)
      verdict.broken(9, `position ${event.position} is the ${index + 1}th of the log`);
    const expected = (revisions.get(event.stream) ?? -1) + 1;
    if (event.revision !== expected)
      verdict.broken(
        9,
        `${event.stream} has revision ${event.revision} where ${expected} should be`,
      );
    revisions.set(event.stream, event.revision);
    if (ids.has(`${event.stream} ${event.id}`))
      verdict.broken(1, `event ${event.id} is twice in ${event.stream}`);
    ids.add(`${event.stream} ${event.id}`);
  }
}
