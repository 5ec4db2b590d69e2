import {
  type Answer,
  type Call,
  type Route,
  keyReused,
  notValid,
  route,
  TimeInput,
  timeOf,
} from "@heliograph/api";
import { type FieldError, isId, PublicError } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { positionBefore } from "@heliograph/log";
import { z } from "zod";
import { addFork, type Fork, forkJobs, readFork } from "../tables/forks.ts";
import { wakeForks } from "./runner.ts";

const longestMs = 31 * 86_400_000;

const RequestFork = z
  .strictObject({
    partner: z
      .string()
      .max(64)
      .meta({ description: "Whose live messages, with what people wrote, and whose sandbox." }),
    from: TimeInput.meta({ description: "Messages accepted from then on. RFC 3339." }),
    to: TimeInput.meta({
      description: "Messages accepted before then; at most 31 days later, and not ahead.",
    }),
  })
  .meta({
    id: "RequestFork",
    example: {
      partner: "ptn_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
      from: "2026-05-01T00:00:00Z",
      to: "2026-05-23T00:00:00Z",
    },
  });

const ForkView = z
  .object({
    id: z.string(),
    partner_id: z.string(),
    status: z.enum(["queued", "running", "done", "failed", "canceled"]),
    from: z.string(),
    to: z.string(),
    progress: z.number().meta({ description: "From 0 to 1, by positions of the log." }),
    seen: z.int().meta({
      description:
        "Messages of the partner that were looked at, those that people wrote among them.",
    }),
    copied: z.int().meta({ description: "Those with a twin in the sandbox by now." }),
    skipped: z
      .record(z.string(), z.int())
      .meta({ description: "How many have none, by the reason." }),
    complete: z.boolean().nullable().meta({
      description:
        "false: it ended at its most messages, 100,000, or at the 10,000,000 of all partners that it reads.",
    }),
    error: z.string().nullable(),
    created_at: z.string(),
    finished_at: z.string().nullable(),
  })
  .meta({ id: "Fork" });

const viewOf = (fork: Fork): object => {
  const { id, account, status, from_time, to_time, after, to, reached } = fork;
  const { seen, copied, skipped, complete, error, created_at, finished_at } = fork;
  return {
    id,
    partner_id: account,
    status,
    from: from_time,
    to: to_time,
    progress: to > after ? Number(((reached - after) * 1_000n) / (to - after)) / 1_000 : 1,
    seen,
    copied,
    skipped,
    complete,
    error,
    created_at: created_at.toISOString(),
    finished_at: finished_at?.toISOString() ?? null,
  };
};

type Requested = z.infer<typeof RequestFork>;
const poolOf = ({ context }: Call<unknown, unknown>) => context.environments.sandbox.pool;

function faultsOf({ body, context }: Call<Requested, unknown>): readonly FieldError[] {
  const [fromMs, toMs] = [timeOf(body.from)!, timeOf(body.to)!];
  const wrong = (path: string, code: string, message: string, is: boolean): FieldError[] =>
    is ? [{ path, code, message }] : [];
  return [
    ...wrong("to", "out_of_range", "must be later than from", toMs <= fromMs),
    ...wrong("to", "out_of_range", "must be at most 31 days after from", toMs - fromMs > longestMs),
    ...wrong("to", "out_of_range", "must not be ahead", toMs > Date.now()),
    ...wrong(
      "partner",
      "not_found",
      "there is no such partner",
      context.directory.partner(body.partner) === undefined,
    ),
  ];
}

async function request(call: Call<Requested, unknown>): Promise<Answer> {
  const faults = faultsOf(call);
  if (faults.length > 0) throw notValid("body", faults);
  const { partner, from, to } = call.body;
  const { directory, environments } = call.context;
  const [fromMs, toMs] = [timeOf(from)!, timeOf(to)!];
  const reads = environments.live.log.forPartner(partner);
  const fork = await addFork(poolOf(call), {
    id: call.derivedId("frk"),
    account: partner,
    space: directory.spaceOf("sandbox", partner),
    from_time: formatTime(fromMs),
    to_time: formatTime(toMs),
    after: await positionBefore(reads, fromMs),
    to: await positionBefore(reads, toMs),
  });
  if (fork === undefined)
    throw new PublicError("conflict", "A fork of this partner is under way already.");
  const { id, account, from_time, to_time } = fork;
  if (account !== partner || from_time !== formatTime(fromMs) || to_time !== formatTime(toMs))
    throw keyReused(id);
  wakeForks(call);
  return { status: 202, body: viewOf(fork) };
}

async function find(call: Call<unknown, unknown>): Promise<Fork> {
  const id = call.params["id"]!;
  const found = isId("frk", id) ? await readFork(poolOf(call), id) : undefined;
  if (found === undefined) throw new PublicError("not_found", "There is no such fork.");
  return found;
}

const show = async (call: Call<undefined, undefined>): Promise<Answer> => ({
  status: 200,
  body: viewOf(await find(call)),
});

async function cancel(call: Call<undefined, undefined>): Promise<Answer> {
  const { id } = await find(call);
  const canceled = await forkJobs.cancel(poolOf(call), id);
  const now = await find(call);
  if (!canceled && now.status !== "canceled")
    throw new PublicError("conflict", `The fork has ended: it is ${now.status}.`);
  return { status: 200, body: viewOf(now) };
}

export const forkRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/forks",
    scope: "admin",
    summary:
      "Send in a partner's sandbox what its live messages of a window come to, and write there what people wrote, without a person in it",
    mutates: true,
    status: 202,
    body: RequestFork,
    response: ForkView,
    errors: ["invalid_request", "malformed_json", "conflict"],
    handler: request,
  }),
  route({
    method: "GET",
    path: "/forks/:id",
    scope: "admin",
    summary: "Progress of a fork",
    response: ForkView,
    errors: ["not_found"],
    handler: show,
  }),
  route({
    method: "POST",
    path: "/forks/:id/cancel",
    scope: "admin",
    summary: "End a fork that has not ended; what it sent stays",
    mutates: true,
    response: ForkView,
    errors: ["not_found", "conflict"],
    handler: cancel,
  }),
];
