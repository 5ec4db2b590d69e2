import type { AgentRecord } from "@heliograph/runtime";
import { roleScopes, type Role } from "@heliograph/platform";
import { loosely } from "@heliograph/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { claimLogin } from "../src/claim-login.ts";
import { decideChange, decideDisable, mayGrant, type Caller } from "../src/decide-agent.ts";
import { decideRefresh } from "../src/decide-refresh.ts";
import type { SessionRow } from "../src/tables/sessions.ts";

const roles: readonly Role[] = ["owner", "admin", "agent", "viewer"];
const environments = ["live", "sandbox"] as const;
const now = "2026-01-01T00:00:00Z";

const agents = fc
  .array(
    fc.record({
      role: fc.constantFrom(...roles),
      status: fc.constantFrom("invited" as const, "active" as const, "disabled" as const),
      environments: fc.subarray([...environments], { minLength: 1 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((list) =>
    list.map((some, index): AgentRecord => ({
      agent_id: `agt_${index}`,
      partner_id: "ptn_1",
      email: "a@example.org",
      login: "login-1",
      name: "A",
      capacity: 1,
      skills: [],
      languages: [],
      created_at: now,
      updated_at: now,
      generation: 0,
      spared: undefined,
      taken: {},
      revision: 0,
      ...some,
    })),
  );
const callers = fc.record({
  role: fc.constantFrom(...roles),
  environment: fc.constantFrom(...environments),
});
const callerOf = ({
  role,
  environment,
}: {
  role: Role;
  environment: "live" | "sandbox";
}): Caller => ({
  partner: "ptn_1",
  environment,
  scopes: roleScopes[role],
});
const steps = fc.array(
  fc.record({
    target: fc.nat(4),
    caller: callers,
    patch: fc.option(
      fc.record(
        {
          role: fc.constantFrom(...roles),
          environments: fc.subarray([...environments], { minLength: 1 }),
        },
        { requiredKeys: [] },
      ),
    ),
  }),
  { maxLength: 20 },
);

const owners = (list: readonly AgentRecord[]): number =>
  list.filter(({ role, status }) => role === "owner" && status === "active").length;

test("whatever is changed or disabled by whom, an owner stays, nobody rises above the caller, and the sandbox touches nothing of live", () => {
  fc.assert(
    fc.property(agents, steps, (start, list) => {
      let all = [...start];
      const began = owners(all) > 0;
      for (const { target, caller: who, patch } of list) {
        const agent = all[target % all.length]!;
        const caller = callerOf(who);
        const decision =
          patch === null
            ? decideDisable(agent, caller, all, now)
            : decideChange(agent, patch, caller, all, now);
        if ("refusal" in decision || decision.events.length === 0) continue;
        const data = decision.events[0]!.data as Partial<AgentRecord>;
        const after = { ...agent, ...data, ...(patch === null && { status: "disabled" as const }) };
        expect(mayGrant(caller, agent.role) && mayGrant(caller, after.role)).toBe(true);
        if (who.environment === "sandbox")
          expect([...agent.environments, ...after.environments]).not.toContain("live");
        all = all.map((other) => (other.agent_id === agent.agent_id ? after : other));
        if (began) expect(owners(all)).toBeGreaterThan(0);
      }
    }),
    { numRuns: 500 },
  );
});

test("a role that may give another one has all of its scopes; owners rank above admins, these above agents, these above viewers", () => {
  const may = (role: Role): readonly Role[] =>
    roles.filter((other) => mayGrant(callerOf({ role, environment: "live" }), other));
  expect(may("owner")).toEqual(["owner", "admin", "agent", "viewer"]);
  expect(may("admin")).toEqual(["admin", "agent", "viewer"]);
  expect(may("agent")).toEqual(["agent", "viewer"]);
  expect(may("viewer")).toEqual(["viewer"]);
});

test("whatever order tokens are refreshed in, a session rotates only by its latest, and never again after a reuse", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(6), { maxLength: 30 }), fc.boolean(), (tokens, stands) => {
      const later = new Date(10_000);
      let latest = 0;
      let session = {
        refresh_sha256: "0",
        refresh_until: later,
        expires_at: later,
        ended_at: null,
      } as unknown as SessionRow;
      for (const token of tokens) {
        const sha256 = String(Math.min(token, latest));
        const decision = decideRefresh(session, { sha256, stands, now: 0 });
        if (session.ended_at !== null || !stands) expect(decision).toBe("over");
        else if (Number(sha256) === latest) {
          expect(decision).toBe("rotate");
          session = { ...session, refresh_sha256: String(++latest) };
        } else {
          expect(decision).toBe("reuse");
          session = { ...session, ended_at: new Date(0) };
        }
      }
    }),
  );
});

test("an address that another process has just claimed stays claimed, though its clock is ahead", async () => {
  const holder = (aheadMs: number) => ({
    agent_id: "agt_other",
    claimed_at: new Date(Date.now() + aheadMs).toISOString(),
  });
  const heldBy = async (aheadMs: number) => {
    const call: Parameters<typeof claimLogin>[0] = loosely({
      account: "ptn_1",
      context: {
        platformLog: {
          readStream: async () => [{ revision: 0, data: holder(aheadMs) }],
          head: async () => 1n,
          append: async () => [{ kind: "appended" }],
        },
        directory: { caughtUp: async () => undefined, agent: () => undefined },
      },
      eventId: () => "evt_1",
      metadata: () => ({}),
    });
    return (await claimLogin(call, "a@example.org", "agt_mine")).agent_id;
  };
  expect(await heldBy(3_600_000)).toBe("agt_other");
  expect(await heldBy(-660_000)).toBe("agt_mine");
});
