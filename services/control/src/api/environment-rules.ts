import {
  type Category,
  environments,
  type Environment,
  type FieldError,
  streamOf,
} from "@heliograph/contracts";
import {
  type Answer,
  type Call,
  type Route,
  changeOnce,
  etagOf,
  notValid,
  reachable,
  requireMatch,
  route,
  untilInEffect,
} from "@heliograph/api";
import { z } from "zod";

type Stored<Rule> = {
  readonly rules: readonly Rule[];
  readonly configured_at: string;
  readonly revision: number;
};

/** Rules of an environment that are replaced as a whole, and held against by whoever sends. */
type Definition<Rule> = {
  readonly path: string;
  readonly category: Category;
  /** The event that says them. */
  readonly type: "RoutingConfigured" | "SenderRulesConfigured";
  readonly rules: z.ZodType<Rule[]>;
  readonly rule: z.ZodType<Rule>;
  /** What the schemas are called by. */
  readonly id: string;
  readonly about: string;
  readonly summaries: { readonly read: string; readonly put: string };
  readonly stored: (
    directory: Call["context"]["directory"],
    environment: Environment,
  ) => Stored<Rule> | undefined;
  /** In the form that is stored, and what is wrong with them. */
  readonly read: (
    rules: readonly Rule[],
    directory: Call["context"]["directory"],
    environment: Environment,
  ) => { readonly rules: readonly Rule[]; readonly faults: readonly FieldError[] };
};

function environmentOf(
  call: Call<unknown, unknown>,
  given: Environment | undefined,
  where: "body" | "query",
): Environment {
  const environment = given ?? call.env;
  if (!reachable(call).includes(environment))
    throw notValid(where, [
      { path: "environment", code: "not_allowed", message: "takes a live admin key" },
    ]);
  return environment;
}

const RulesQuery = z.strictObject({ environment: z.enum(environments).optional() });

export function environmentRules<Rule>(definition: Definition<Rule>): readonly Route[] {
  const { path, id, about, summaries } = definition;
  const Body = z
    .strictObject({
      environment: z.enum(environments).optional().meta({ description: "Default: the key's." }),
      rules: definition.rules,
    })
    .meta({ id: `Set${id}` });
  const View = z
    .object({
      environment: z.enum(environments),
      rules: z.array(definition.rule).meta({ description: about }),
      configured_at: z.string().nullable(),
    })
    .meta({ id });
  const shared = { path, scope: "admin", etag: true, response: View } as const;
  return [
    route({
      ...shared,
      method: "GET",
      summary: summaries.read,
      query: RulesQuery,
      errors: ["invalid_request"],
      handler: reading(definition),
    }),
    route({
      ...shared,
      method: "PUT",
      summary: summaries.put,
      mutates: true,
      body: Body,
      errors: [
        "invalid_request",
        "malformed_json",
        "conflict",
        "precondition_failed",
        "idempotency_in_progress",
        "idempotency_key_reused",
        "log_unavailable",
      ],
      handler: putting(definition),
    }),
  ];
}

const viewOf = <Rule>(environment: Environment, stored: Stored<Rule> | undefined): object => ({
  environment,
  rules: stored?.rules ?? [],
  configured_at: stored?.configured_at ?? null,
});
const tagOf = (stored: Stored<unknown> | undefined): string => etagOf(stored?.revision ?? -1);

const reading =
  <Rule>({ stored }: Definition<Rule>) =>
  (call: Call<undefined, z.infer<typeof RulesQuery>>): Answer => {
    const environment = environmentOf(call, call.query.environment, "query");
    const found = stored(call.context.directory, environment);
    return { status: 200, body: viewOf(environment, found), etag: tagOf(found) };
  };

const putting =
  <Rule>({ category, type: own, read }: Definition<Rule>) =>
  async (
    call: Call<{ environment?: Environment | undefined; rules: Rule[] }, unknown>,
  ): Promise<Answer> => {
    const environment = environmentOf(call, call.body.environment, "body");
    const { rules, faults } = read(call.body.rules, call.context.directory, environment);
    if (faults.length > 0) throw notValid("body", faults);
    const { state, position } = await changeOnce<Stored<Rule>>(call, {
      log: call.context.platformLog.forPartner(call.partner.partner_id),
      stream: streamOf(category, environment),
      name: `${category} ${environment}`,
      correlation: environment,
      evolve: (before, { type, data, revision }) =>
        type === own
          ? { ...(data as unknown as Omit<Stored<Rule>, "revision">), revision }
          : before,
      decide(before) {
        requireMatch(call as Call, tagOf(before));
        if (JSON.stringify(before?.rules ?? []) === JSON.stringify(rules)) return { events: [] };
        const configured_at = new Date().toISOString();
        return { events: [{ type: own, data: { environment, rules, configured_at } }] };
      },
    });
    if (position !== undefined) await untilInEffect(call as Call, position);
    return { status: 200, body: viewOf(environment, state), etag: tagOf(state), position };
  };
