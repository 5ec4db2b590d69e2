import type { Response } from "express";
import { expect, test, vi } from "vitest";
import { openHub, type Joining } from "../src/live/hub.ts";
import type { Sessions } from "../src/sessions.ts";

test("a stream in which nothing happens says every fifteen seconds that it stands, to sessions that do", async () => {
  vi.useFakeTimers();
  const stopping = new AbortController();
  try {
    const over = new Set<string>();
    const sessions = {
      standing: async (asked: readonly { sha256: Buffer }[]) =>
        new Set(
          asked.map(({ sha256 }) => sha256.toString("hex")).filter((each) => !over.has(each)),
        ),
    } as unknown as Sessions;
    const hub = openHub(sessions, stopping.signal);
    const look = (name: string): (() => string) => {
      let text = "";
      let isOver = false;
      const response = {
        get writableEnded() {
          return isOver;
        },
        writeHead: () => undefined,
        once: () => undefined,
        write: (chunk: string) => void (text += chunk),
        end() {
          isOver = true;
        },
      } as unknown as Response;
      const session = {
        sha256: Buffer.from(name),
        csrf: "",
        data: { who: { id: name, partner: { id: "ptn_1" } } },
      };
      const api = { get: () => new Promise(() => undefined) };
      const joining = {
        session,
        environment: "sandbox",
        api,
        page: "/console",
        on: new Set(),
        since: 0,
      };
      const render = async () => undefined;
      hub.join({ ...joining, render } as unknown as Joining, response);
      return () => text;
    };
    const [here, gone] = [look("here"), look("gone")];
    over.add(Buffer.from("gone").toString("hex"));
    await vi.advanceTimersByTimeAsync(14_000);
    expect(here()).not.toContain("event: beat");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(here()).toContain("event: beat");
    expect(gone()).toMatch(/event: end\ndata: Your session has ended/);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(here().match(/event: beat/g)).toHaveLength(2);
    expect(gone()).not.toContain("event: beat");
  } finally {
    stopping.abort();
    vi.useRealTimers();
  }
});
