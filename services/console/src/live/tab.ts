import type { Response } from "express";
import { streamHead } from "../http/answer.ts";

/** A reader that takes nothing gets no more than this; it comes back when it does. */
const maxWaitingBytes = 1024 * 1024;

/** One tab's stream of server-sent events. */
export type Tab = {
  readonly csrf: string;
  show(regions: string, at: number): void;
  /** Says that the connection stands: a proxy cuts what is silent, and the script comes back when it hears nothing. */
  beat(at: number): void;
  /** For good, with what the page then says. */
  end(why: string): void;
  /** The script comes back by itself. */
  cut(): void;
};

export function openTab(response: Response, csrf: string): Tab {
  response.writeHead(200, streamHead);
  response.write(": heliograph\n\n");
  const send = (event: string, text: string, at?: number): void => {
    if (response.writableEnded) return;
    const lines = text.split("\n").map((line) => `data: ${line}\n`);
    response.write(`event: ${event}\n${at === undefined ? "" : `id: ${at}\n`}${lines.join("")}\n`);
    if (response.writableLength > maxWaitingBytes) response.destroy();
  };
  return {
    csrf,
    show: (regions, at) => send("show", regions, at),
    beat: (at) => send("beat", String(at)),
    end(why) {
      send("end", why);
      response.end();
    },
    cut: () => response.end(),
  };
}
