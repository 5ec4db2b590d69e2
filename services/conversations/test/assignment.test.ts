import { describe, expect, it } from "vitest";
import { until } from "@heliograph/testkit";
import { Desk } from "../src/assignment/desk.ts";
import { isThreadEvent } from "../src/assignment/work.ts";
import { startDesk } from "./assignment-harness.ts";
import { useScene } from "./assignment-scene.ts";

const scene = useScene();
const { openMany, holders, countOf, withDesk } = scene;

describe("capacity holds over sums", () => {
  it("of 10 inbound at once one agent with 3 places gets 3, 7 wait with the reason, and a freed place takes the oldest", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 3 });
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const threads = await openMany(10);
    await withDesk(async (running) => {
      await running.run();
      expect(await holders(threads)).toEqual([ada, ada, ada, ...Array(7).fill(undefined)]);
      for (const thread of threads.slice(3))
        expect((await scene.desk.holder(thread)).reason).toBe(
          "nobody of Support can take it: 1 without a free place",
        );

      await scene.desk.closed(threads[1]!);
      await running.run();
      expect(await countOf(threads.slice(3), ada)).toBe(1);
      expect((await scene.desk.holder(threads[3]!)).agent).toBe(ada);

      await scene.desk.unassigned(threads[0]!, ada);
      await running.run();
      expect((await scene.desk.holder(threads[4]!)).agent).toBe(ada);
      // Whoever was taken from an agent by hand does not come back by itself.
      expect((await scene.desk.holder(threads[0]!)).agent).toBeUndefined();
    });
  });

  it("a raised capacity and an agent who comes each take as many as there are places", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 1 });
    const bob = scene.desk.agent("Bob", { capacity: 2 });
    await scene.desk.team({ agent_ids: [ada, bob] });
    await scene.desk.presence(ada, "online");
    const threads = await openMany(6);
    await withDesk(async (running) => {
      await running.run();
      expect(await countOf(threads, ada)).toBe(1);
      scene.desk.change(ada, { capacity: 3 });
      await until(async () => (await countOf(threads, ada)) === 3 || undefined);
      await scene.desk.presence(bob, "online");
      await running.run();
      expect(await holders(threads)).toEqual([ada, ada, ada, bob, bob, undefined]);
    });
  });

  it("of two agents who go offline at once the third takes as many as there are places", async () => {
    const [ada, bob, eve] = ["Ada", "Bob", "Eve"].map((name) => scene.desk.agent(name));
    await scene.desk.team({ agent_ids: [ada!, bob!, eve!] });
    await scene.desk.presence(ada!, "online");
    await scene.desk.presence(bob!, "online");
    const threads = await openMany(6);
    await withDesk(async (running) => {
      await running.run();
      expect(await countOf(threads, ada!)).toBe(3);
      await scene.desk.presence(eve!, "online");
      await scene.desk.presence(ada!, "offline");
      await scene.desk.presence(bob!, "offline");
      await running.run();
      expect(await countOf(threads, eve!)).toBe(3);
      expect((await holders(threads)).filter((holder) => holder === undefined)).toHaveLength(3);
    });
  });
});

it("decided on an old team: the assignee is in the team at the revision that was appended", async () => {
  const [ada, bob] = ["Ada", "Bob"].map((name) => scene.desk.agent(name));
  const team = await scene.desk.team({ agent_ids: [ada!] });
  await scene.desk.presence(ada!, "online");
  await scene.desk.presence(bob!, "online");
  await withDesk(async (running) => {
    await running.run();
    const thread = await scene.desk.open();
    // The team changes after the desk has read, and before it appends.
    const { append } = scene.desk.context.log;
    const log = scene.desk.context.log as { append: typeof append };
    let changed = false;
    log.append = async (appends) => {
      if (!changed && appends.some(({ stream }) => stream === thread.stream)) {
        changed = true;
        await scene.desk.changeTeam(team, { agent_ids: [bob!] });
      }
      return append.call(scene.desk.context.log, appends);
    };
    await running.run();
    log.append = append;
    expect(changed).toBe(true);
    const events = await scene.desk.events(thread);
    const assigned = events.filter(({ type }) => type === "ConversationAssigned");
    expect(assigned.at(-1)!.data).toMatchObject({ agent: { id: bob }, team, team_revision: 1 });
    expect((await scene.desk.holder(thread)).agent).toBe(bob);
  });
});

it("decided on an old conversation: what somebody else wrote meanwhile is read, and decided anew", async () => {
  const [ada, bob] = ["Ada", "Bob"].map((name) => scene.desk.agent(name));
  const team = await scene.desk.team({ agent_ids: [ada!] });
  const other = await scene.desk.team({ name: "Other", agent_ids: [bob!], inboxes: ["none"] });
  await scene.desk.presence(ada!, "online");
  await scene.desk.presence(bob!, "online");
  await withDesk(async (running) => {
    const thread = await scene.desk.open();
    const { append } = scene.desk.context.log;
    const log = scene.desk.context.log as { append: typeof append };
    let changed = false;
    log.append = async (appends) => {
      if (!changed && appends.some(({ stream }) => stream === thread.stream)) {
        changed = true;
        await scene.desk.ask(thread, other);
      }
      return append.call(scene.desk.context.log, appends);
    };
    await running.run();
    log.append = append;
    expect((await scene.desk.holder(thread)).agent).toBe(bob);
    const types = (await scene.desk.events(thread)).map(({ type }) => type);
    expect(types.filter((type) => type === "ConversationAssigned")).toHaveLength(1);
    expect(team).not.toBe(other);
  });
});

describe("nobody on duty is not anybody", () => {
  it("all offline: it stays unassigned, the reason is told, and it is assigned when one comes", async () => {
    const ada = scene.desk.agent("Ada");
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "away");
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      expect(await scene.desk.holder(thread)).toEqual({
        agent: undefined,
        reason: "nobody of Support can take it: 1 away",
      });
      await scene.desk.presence(ada, "online");
      await running.run();
      expect((await scene.desk.holder(thread)).agent).toBe(ada);
    });
  });

  it("outside of working hours: it waits, and the reason names the team", async () => {
    const ada = scene.desk.agent("Ada");
    const never = { zone: "Europe/Berlin", days: [] };
    const team = await scene.desk.team({ agent_ids: [ada], working_hours: never });
    await scene.desk.presence(ada, "online");
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      expect(await scene.desk.holder(thread)).toEqual({
        agent: undefined,
        reason: "it is outside the working hours of Support",
      });
      await scene.desk.changeTeam(team, { working_hours: null });
      await running.run();
      expect((await scene.desk.holder(thread)).agent).toBe(ada);
    });
  });

  it("a partner without teams is told nothing, but for who asks", async () => {
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      expect(await scene.desk.events(thread)).toHaveLength(2);
      await scene.desk.ask(thread);
      await running.run();
      expect((await scene.desk.holder(thread)).reason).toBe(
        "no team takes conversations of this inbox",
      );
    });
  });
});

describe("removed agents do not keep their work", () => {
  it("disabled with 4 open: all are given back, the reason says why, and the actor is the system", async () => {
    const [ada, bob] = ["Ada", "Bob"].map((name) => scene.desk.agent(name, { capacity: 4 }));
    await scene.desk.team({ agent_ids: [ada!, bob!] });
    await scene.desk.presence(ada!, "online");
    const threads = await openMany(4);
    await withDesk(async (running) => {
      await running.run();
      expect(await countOf(threads, ada!)).toBe(4);
      await scene.desk.reply(threads[0]!);
      await scene.desk.presence(bob!, "online");
      scene.desk.change(ada!, { status: "disabled" });
      await scene.desk.presence(ada!, "disabled");
      await running.run();
      expect(await countOf(threads, bob!)).toBe(4);
      for (const thread of threads) {
        const events = await scene.desk.events(thread);
        const back = events.find(({ type }) => type === "ConversationUnassigned")!;
        expect(back.data).toMatchObject({
          reason: "Ada was disabled",
          by: { id: "system" },
          previous_agent: { id: ada },
        });
        expect(back.metadata.actor).toBe("system");
      }
    });
  });

  it("also when only the directory knows that the agent is disabled", async () => {
    const ada = scene.desk.agent("Ada");
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      scene.desk.change(ada, { status: "disabled" });
      await until(async () => (await scene.desk.holder(thread)).agent === undefined || undefined);
      expect((await scene.desk.events(thread)).map(({ type }) => type)).toContain(
        "ConversationUnassigned",
      );
    });
  });

  it("one who only looks on now gives back everything, answered or not, and the team takes it", async () => {
    const [ada, bob] = ["Ada", "Bob"].map((name) => scene.desk.agent(name));
    await scene.desk.team({ agent_ids: [ada!, bob!] });
    await scene.desk.presence(ada!, "online");
    const threads = await openMany(2);
    await withDesk(async (running) => {
      await running.run();
      expect(await countOf(threads, ada!)).toBe(2);
      await scene.desk.reply(threads[0]!);
      await scene.desk.presence(bob!, "online");
      scene.desk.change(ada!, { role: "viewer" });
      await running.run();
      await until(async () => (await countOf(threads, bob!)) === 2);
      for (const thread of threads)
        expect(
          (await scene.desk.events(thread)).find(({ type }) => type === "ConversationUnassigned")!
            .data,
        ).toMatchObject({ reason: "Ada only looks on now", previous_agent: { id: ada } });
    });
  });

  it("one who is active again keeps what a person gives him, before he says that he is there", async () => {
    const ada = scene.desk.agent("Ada");
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "disabled");
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      await scene.desk.assigned(thread, ada);
      await running.run();
      expect(await holders([thread])).toEqual([ada]);
    });
  });

  it("who takes a conversation by an answer has answered it, and keeps it when he goes offline", async () => {
    const ada = scene.desk.agent("Ada");
    await scene.desk.team({ agent_ids: [ada] });
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      await scene.desk.reply(thread, true, { id: ada });
      await scene.desk.assigned(thread, ada, { id: ada });
      await scene.desk.presence(ada, "online");
      await scene.desk.presence(ada, "offline");
      await running.run();
      expect(await holders([thread])).toEqual([ada]);
    });
  });

  it("offline: only what is unanswered is given back, and what a person gave him after that stays", async () => {
    const ada = scene.desk.agent("Ada");
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const [answered, unanswered, later] = await openMany(3);
    await withDesk(async (running) => {
      await running.run();
      await scene.desk.reply(answered!);
      await scene.desk.presence(ada, "offline");
      await running.run();
      await scene.desk.assigned(later!, ada);
      await running.run();
      expect(await holders([answered!, unanswered!, later!])).toEqual([ada, undefined, ada]);
      const back = (await scene.desk.events(unanswered!)).find(
        ({ type }) => type === "ConversationUnassigned",
      )!;
      expect(back.data).toMatchObject({ reason: "Ada went offline and had not answered" });
      // The person writes again: now that one is unanswered too.
      await scene.desk.inbound(answered!);
      await running.run();
      expect(await holders([answered!])).toEqual([undefined]);
    });
  });
});

describe("events do not overtake each other", () => {
  it("conversation.opened comes before assigned in the log, always", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 100 });
    await scene.desk.team({ agent_ids: [ada], routing: "round_robin" });
    await scene.desk.presence(ada, "online");
    await withDesk(async (running) => {
      for (let round = 0; round < 5; round++) {
        const threads = await openMany(3);
        await running.run(1);
        for (const thread of threads) {
          const events = await scene.desk.events(thread);
          expect(events.map(({ type }) => type)).toEqual([
            "ConversationOpened",
            "MessageReceived",
            "ConversationAssigned",
          ]);
        }
      }
    });
  });
});

describe("routing asked for", () => {
  it("to another team: its agent has it, and who had it is told", async () => {
    const [ada, bob] = ["Ada", "Bob"].map((name) => scene.desk.agent(name));
    await scene.desk.team({ agent_ids: [ada!] });
    const other = await scene.desk.team({ name: "Other", agent_ids: [bob!], inboxes: ["none"] });
    await scene.desk.presence(ada!, "online");
    const thread = await scene.desk.open();
    await withDesk(async (running) => {
      await running.run();
      await scene.desk.ask(thread, other);
      await running.run();
      // Nobody there: it is taken from who had it, and waits.
      const types = (await scene.desk.events(thread)).slice(-3).map(({ type }) => type);
      expect(types).toEqual([
        "AssignmentRequested",
        "ConversationUnassigned",
        "ConversationQueued",
      ]);
      await scene.desk.presence(bob!, "online");
      await running.run();
      expect((await scene.desk.holder(thread)).agent).toBe(bob);
    });
  });

  it("round robin gives each the next one, also after a restart", async () => {
    const agents = ["Ada", "Bob", "Eve"].map((name) => scene.desk.agent(name));
    await scene.desk.team({ agent_ids: agents, routing: "round_robin" });
    for (const agent of agents) await scene.desk.presence(agent, "online");
    const first = await openMany(4);
    let position = 0n;
    await withDesk(async (running) => {
      await running.run();
      position = running.committed;
    });
    const second = await openMany(3);
    const again = await startDesk(scene.desk.context, position);
    await again.run();
    await again.stop();
    const [ada, bob, eve] = agents;
    expect(await holders([...first, ...second])).toEqual([ada, bob, eve, ada, bob, eve, ada]);
  });
});

describe("what it knows survives", () => {
  it("a crash at any batch, with repeated and shuffled input, leaves places as they were", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 3 });
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const threads = await openMany(8);
    let position = 0n;
    for (let crash = 0; crash < 4; crash++) {
      const running = await startDesk(scene.desk.context, position);
      await running.run(3, (events) => [...events, ...events].reverse());
      // The last commit is lost: the same events come again.
      position = position === 0n ? 0n : running.committed - 3n;
      await running.stop();
      if (crash === 0) position = running.committed;
    }
    const held = await holders(threads);
    expect(held.filter((holder) => holder === ada)).toHaveLength(3);
    for (const thread of threads) {
      const types = (await scene.desk.events(thread)).map(({ type }) => type);
      expect(types).toHaveLength(3);
    }
  });

  it("nothing is decided before everything that was there at the start is known, however small the batches", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 1 });
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const [first, second] = await openMany(2);
    await scene.desk.assigned(second!, ada);
    await withDesk(async (running) => {
      await running.run(1);
      expect(await holders([first!, second!])).toEqual([undefined, ada]);
    });
  });

  it("what comes twice is folded once, and what comes too early is read from the log first", async () => {
    const thread = await scene.desk.open();
    await scene.desk.ask(thread);
    await scene.desk.reply(thread);
    const events = (await scene.desk.events(thread)).filter(isThreadEvent);
    const known = new Desk([]);
    for (const event of events) expect(known.see(event)).toBe(true);
    const before = known.work(thread.stream);
    for (const event of events.toReversed()) expect(known.see(event)).toBe(true);
    expect(known.work(thread.stream)).toEqual(before);
    const early = new Desk([]);
    early.see(events[0]!);
    expect(early.see(events.at(-1)!)).toBe(false);
  });

  it("a closed conversation leaves nothing behind, and one that is reopened keeps its agent", async () => {
    const ada = scene.desk.agent("Ada", { capacity: 1 });
    await scene.desk.team({ agent_ids: [ada] });
    await scene.desk.presence(ada, "online");
    const [first, second] = await openMany(2);
    await withDesk(async (running) => {
      await running.run();
      await scene.desk.closed(first!);
      await running.run();
      const works = (await running.facts()).filter(({ kind }) => kind === "work");
      expect(works.map(({ id }) => id)).toEqual([second!.stream]);
      await scene.desk.reopened(first!);
      await running.run();
      expect(await holders([first!, second!])).toEqual([ada, ada]);
    });
  });
});
