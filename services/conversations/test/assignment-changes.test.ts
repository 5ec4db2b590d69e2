import { describe, expect, it } from "vitest";
import { until } from "@heliograph/testkit";
import { useScene } from "./assignment-scene.ts";

const scene = useScene();
const { openMany, holders, countOf, withDesk } = scene;

/** What happened to a conversation after it came. */
const typesOf = async (thread: Parameters<typeof scene.desk.events>[0]) =>
  (await scene.desk.events(thread)).slice(2).map(({ type }) => type);

describe("an agent who comes and goes", () => {
  it("many times in one batch, and is there at its end, keeps what he had and gets no more than his places", async () => {
    const { desk } = scene;
    const ada = desk.agent("Ada", { capacity: 2 });
    await desk.team({ agent_ids: [ada] });
    await desk.presence(ada, "online");
    const threads = await openMany(4);
    await withDesk(async (running) => {
      await running.run();
      for (let turn = 0; turn < 5; turn++) {
        await desk.presence(ada, "offline");
        await desk.presence(ada, "online");
      }
      await running.run();
      expect(await countOf(threads, ada)).toBe(2);
      // Nothing is told twice of a conversation that nobody could take.
      for (const thread of threads.slice(2))
        expect((await typesOf(thread)).filter((type) => type === "ConversationQueued").length).toBe(
          1,
        );
    });
  });

  it("seen one by one, gives back and takes again each time, and no place is lost or made", async () => {
    const { desk } = scene;
    const ada = desk.agent("Ada", { capacity: 2 });
    await desk.team({ agent_ids: [ada] });
    await desk.presence(ada, "online");
    const threads = await openMany(3);
    await withDesk(async (running) => {
      await running.run();
      for (let turn = 0; turn < 4; turn++) {
        expect(await countOf(threads, ada)).toBe(2);
        await desk.presence(ada, "offline");
        await running.run(1);
        expect(await holders(threads)).toEqual([undefined, undefined, undefined]);
        await desk.presence(ada, "online");
        await running.run(1);
      }
      expect(await countOf(threads, ada)).toBe(2);
    });
  });

  it("and is gone at the end, has nothing unanswered, and who is there has it once", async () => {
    const { desk } = scene;
    const [ada, bob] = ["Ada", "Bob"].map((name) => desk.agent(name, { capacity: 3 }));
    await desk.team({ agent_ids: [ada!, bob!] });
    await desk.presence(ada!, "online");
    const threads = await openMany(3);
    await withDesk(async (running) => {
      await running.run();
      await desk.presence(bob!, "online");
      for (const status of ["offline", "online", "away", "online", "offline"] as const)
        await desk.presence(ada!, status);
      await running.run();
      expect(await holders(threads)).toEqual([bob, bob, bob]);
    });
  });
});

describe("two agents who answer one conversation", () => {
  it("leave one holder, and its place is counted once", async () => {
    const { desk } = scene;
    const [ada, bob] = ["Ada", "Bob"].map((name) => desk.agent(name, { capacity: 1 }));
    await desk.team({ agent_ids: [ada!, bob!] });
    const thread = await desk.open();
    await withDesk(async (running) => {
      await running.run();
      // An answer takes what nobody has; the other one's comes to a conversation that is taken.
      await Promise.all([
        desk.reply(thread, true, { id: ada! }),
        desk.reply(thread, true, { id: bob! }),
      ]);
      await desk.assigned(thread, ada!, { id: ada! });
      await desk.presence(ada!, "online");
      await desk.presence(bob!, "online");
      const more = await openMany(2);
      await running.run();
      expect(await holders([thread])).toEqual([ada]);
      expect(await countOf([thread, ...more], ada!)).toBe(1);
      expect(await countOf([thread, ...more], bob!)).toBe(1);
    });
  });
});

describe("a capacity that changes", () => {
  it("to less than he has takes nothing away, and gives nothing until he is below it", async () => {
    const { desk } = scene;
    const ada = desk.agent("Ada", { capacity: 3 });
    await desk.team({ agent_ids: [ada] });
    await desk.presence(ada, "online");
    const threads = await openMany(5);
    await withDesk(async (running) => {
      await running.run();
      expect(await holders(threads)).toEqual([ada, ada, ada, undefined, undefined]);
      desk.change(ada, { capacity: 1 });
      await desk.closed(threads[0]!);
      await desk.closed(threads[1]!);
      await running.run();
      expect(await holders(threads.slice(2))).toEqual([ada, undefined, undefined]);
      await desk.closed(threads[2]!);
      await running.run();
      expect(await holders(threads.slice(3))).toEqual([ada, undefined]);
    });
  });

  it("to nothing gives him no more, and back to more what waits", async () => {
    const { desk } = scene;
    const ada = desk.agent("Ada", { capacity: 0 });
    await desk.team({ agent_ids: [ada] });
    await desk.presence(ada, "online");
    const threads = await openMany(2);
    await withDesk(async (running) => {
      await running.run();
      expect(await holders(threads)).toEqual([undefined, undefined]);
      desk.change(ada, { capacity: 5 });
      await until(async () => (await countOf(threads, ada)) === 2 || undefined);
    });
  });
});
