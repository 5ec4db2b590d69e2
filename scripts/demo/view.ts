import { styleText } from "node:util";

type Style = "dim" | "bold" | "green" | "red" | "yellow" | "cyan";

/** Colour on a terminal only; `NO_COLOR` and `FORCE_COLOR` are honoured. */
export const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** One thing that happened: when (epoch ms), to which message, where in the log or the feed, what, and more about it. */
export type Happening = {
  readonly atMs: number;
  readonly name: string;
  readonly place: string;
  readonly type: string;
  readonly text: string;
  readonly style: Style;
};

export type Reporter = {
  add(happening: Happening): void;
  /** Shows, in the order of time, what happened until then. */
  flush(untilMs: number): void;
};

const nameWidth = 18;
const typeWidth = 21;

/** Log, feed and webhooks are learnt of by different ways; what waits here for a moment comes out in the order in which it happened. */
export function newReporter(startedAtMs: number): Reporter {
  let waiting: Happening[] = [];
  return {
    add: (happening) => void waiting.push(happening),
    flush(untilMs) {
      const due = waiting.filter((item) => item.atMs <= untilMs);
      waiting = waiting.filter((item) => item.atMs > untilMs);
      for (const item of due.toSorted(inOrder))
        say(lineOf(item, Math.max(0, item.atMs - startedAtMs)));
    },
  };
}

/** Events of one millisecond by their position in the log or the feed. */
const inOrder = (left: Happening, right: Happening): number =>
  left.atMs - right.atMs || left.place.localeCompare(right.place, "en", { numeric: true });

function lineOf({ name, place, type, text, style }: Happening, sinceMs: number): string {
  const time = `${(sinceMs / 1000).toFixed(3)} s`.padStart(9);
  const head = `${time}  ${name.padEnd(nameWidth)} ${place.padStart(9)}  `;
  const room = process.stdout.isTTY ? process.stdout.columns - head.length - typeWidth - 2 : 1_000;
  const rest = text.slice(0, Math.max(0, room));
  return `${paint("dim", head)}${paint(style, type.padEnd(typeWidth))}  ${rest}`.trimEnd();
}
