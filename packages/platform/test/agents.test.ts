import { scopes, type Environment } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { describe, expect, test } from "vitest";
import { operator } from "../src/accounts.ts";
import { openDirectory } from "../src/directory/directory.ts";
import { scopesOf, sessionStands } from "../src/index.ts";

const profile = {
  name: "Ann",
  role: "owner",
  capacity: 5,
  skills: [],
  languages: ["en"],
  environments: ["sandbox"],
};
const ids = { agent_id: "agt_1AAAA", partner_id: "ptn_1AAAA" };
const at = "2026-01-01T00:00:00Z";

async function openWith(...events: readonly (readonly [type: string, data: object])[]) {
  const log = openMemoryLog();
  const [outcome] = await log.append([
    {
      stream: "agent-1AAAA",
      expected: "no_stream",
      events: events.map(([type, data]) => ({
        id: crypto.randomUUID(),
        type,
        data: { ...ids, ...data },
        metadata: {},
      })),
    },
  ]);
  if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  const directory = await openDirectory(log, (_, flaw) => {
    throw new Error(flaw);
  });
  await directory.close();
  await log.close();
  return directory;
}

const created = [
  "AgentCreated",
  { ...profile, email: "Ann@example.org", login: "login-x", status: "invited", created_at: at },
] as const;

describe("the directory", () => {
  test("knows an agent as the last event left it", async () => {
    const directory = await openWith(
      created,
      ["AgentActivated", { name: "Anna", activated_at: at }],
      ["AgentChanged", { ...profile, name: "Anna B", role: "agent", changed_at: at }],
      ["AgentDisabled", { disabled_at: at }],
    );
    expect(directory.agentsOf("ptn_1AAAA")).toMatchObject([
      { name: "Anna B", role: "agent", status: "disabled", email: "Ann@example.org", revision: 3 },
    ]);
    expect(directory.agent("agt_2")).toBeUndefined();
  });

  test("ends the sessions of an earlier generation but for the spared one, whatever the order", async () => {
    const directory = await openWith(
      created,
      ["AgentActivated", { name: "Ann", activated_at: at }],
      ["AgentSessionsEnded", { generation: 2, except: "ses_2", reason: "x", ended_at: at }],
      ["AgentSessionsEnded", { generation: 1, reason: "x", ended_at: at }],
    );
    const agent = directory.agent("agt_1AAAA");
    const stands = (session_id: string, generation: number, environment: Environment = "sandbox") =>
      sessionStands(agent, { session_id, environment, generation });
    expect(stands("ses_1", 1)).toBe(false);
    expect(stands("ses_2", 0)).toBe(true);
    expect(stands("ses_3", 2)).toBe(true);
    expect(stands("ses_3", 2, "live")).toBe(false);
  });
});

test("owners and admins of the installation's own partner alone carry the scope admin", () => {
  expect(scopesOf("ptn_1AAAA", "owner")).not.toContain("admin");
  expect(scopesOf(operator.partner_id, "owner")).toContain("admin");
  expect(scopesOf(operator.partner_id, "admin")).toContain("admin");
  expect(scopesOf(operator.partner_id, "agent")).not.toContain("admin");
});

test("an admin may do all but move money and administer the installation", () => {
  const own = scopesOf("ptn_1AAAA", "admin");
  const has = (scope: string): boolean =>
    own.includes(scope) || own.includes(scope.replace(/:.*/, ":*"));
  expect(Object.keys(scopes).filter((scope) => !has(scope))).toEqual(["wallet:write", "admin"]);
});
