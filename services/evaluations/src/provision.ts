import { deterministicId, failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import { change, type Decision, LogUnavailable, type RecordedEvent } from "@heliograph/log";
import { partnerCreated, startSandbox } from "@heliograph/platform";
import type { PlatformContext, WritePart } from "@heliograph/runtime";
import { decideDuplicate, decideProvision, type Refusal } from "./decide.ts";
import { type Contact, type Evaluation, evolve } from "./evolve.ts";
import { readEvaluation } from "./read.ts";
import { rotaOf } from "./rota.ts";
import { rememberRequest } from "./store.ts";
import { countTurns, earlierRequest } from "./tables/desk.ts";

type Requested = RecordedEvent<"EvaluationRequested">;

/** Who asks again within this time has a tenant already, unless that evaluation was closed. */
const sameForDays = 30;

/** Makes the tenant of a request, or ends it as a duplicate. Every step is safe to repeat. Gives what is remembered of it with the checkpoint. */
export async function provision(
  platform: PlatformContext,
  event: Requested,
): Promise<{ readonly part: WritePart; readonly duplicate: boolean }> {
  const { log, environments, directory } = platform;
  const { evaluation_id, company } = event.data;
  const of = await earlierOf(platform, event);
  if (of !== undefined) {
    await alter(platform, event, (state, now) => decideDuplicate(state, of, now));
    return { part: rememberRequest(event, of), duplicate: true };
  }
  const partner = deterministicId("ptn", "evaluation", evaluation_id);
  const currency = directory.prices()?.currency ?? "USD";
  const createdAt = new Date(event.recordedAt).toISOString();
  const [made] = await log.append([
    partnerCreated(
      { partner_id: partner, name: company, currency },
      { actor: "service:evaluations", createdAt },
    ),
  ]);
  if (made?.kind === "invalid") throw new Error(made.message);
  await startSandbox(environments.sandbox.log, partner, { currency, createdAt });
  await failpoint("evaluations.after_sandbox");
  const contact = await contactOf(platform, event);
  await alter(platform, event, (state, now) => decideProvision(state, { partner, contact }, now));
  await failpoint("evaluations.after_provisioned");
  return { part: rememberRequest(event, undefined), duplicate: false };
}

async function earlierOf(
  { pool, log }: PlatformContext,
  { data, position }: Requested,
): Promise<string | undefined> {
  const placed = { address: data.address, position, requestedAt: data.requested_at };
  const id = await earlierRequest(pool, placed, sameForDays);
  if (id === undefined) return undefined;
  const { evaluation } = await readEvaluation(log, id);
  return evaluation?.provisioned_at !== undefined && evaluation.closed_at === undefined
    ? id
    : undefined;
}

/** Whose turn it is: the rota goes on by one with every request since it was set, so the log alone tells. Who was disabled since is passed over. */
async function contactOf(
  { log, pool, directory }: PlatformContext,
  { position }: Requested,
): Promise<Contact | undefined> {
  const rota = await rotaOf(log);
  const there = rota.contacts.filter(
    ({ agent_id }) => agent_id === undefined || directory.agent(agent_id)?.status !== "disabled",
  );
  if (there.length === 0) return undefined;
  return there[(await countTurns(pool, rota.position, position)) % there.length];
}

async function alter(
  { log }: PlatformContext,
  { id, data, metadata }: Requested,
  decide: (state: Evaluation | undefined, now: string) => Decision<Refusal>,
): Promise<void> {
  const changed = await change<Evaluation, Refusal>(log, {
    stream: streamOf("evaluation", data.evaluation_id),
    eventId: uuid5(id, "provision"),
    metadata: {
      partner: metadata.partner ?? "",
      actor: "service:evaluations",
      causation: id,
      correlation: data.evaluation_id,
    },
    evolve,
    decide: (state) => decide(state, new Date().toISOString()),
  });
  if (changed.kind === "contended")
    throw new LogUnavailable(`${data.evaluation_id} kept changing while its tenant was made`);
}
