/** Without a terminal a line every five seconds, so that a log of a long rebuild stays short. */
const plainEveryMs = 5_000;

export type Progress = {
  show(processed: number, total: number): void;
  end(): void;
};

const count = (value: number): string => Math.round(value).toLocaleString("en");

/** What the line says: share, events a second since the start, and the time that the rest takes at that rate. */
export function progressText(processed: number, total: number, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? (processed * 1000) / elapsedMs : 0;
  const share = total === 0 ? 100 : Math.floor((processed * 100) / total);
  const eta = rate > 0 ? `${Math.ceil((total - processed) / rate)} s` : "unknown";
  return `${share} %, event ${count(processed)} of ${count(total)}, ${count(rate)} events/s, ETA ${eta}`;
}

export type Line = { show(text: string): void; end(): void };

/** One line that a terminal shows in place. */
export function newLine(): Line {
  const { stdout } = process;
  let lastAt = 0;
  return {
    show(text) {
      const now = performance.now();
      if (stdout.isTTY) stdout.write(`\r\u001b[2K${text.slice(0, stdout.columns - 1)}`);
      else if (now - lastAt > plainEveryMs) {
        lastAt = now;
        stdout.write(`${text}\n`);
      }
    },
    end: () => void (stdout.isTTY && stdout.write("\r\u001b[2K")),
  };
}

/** Shows `progressText` in one line. */
export function newProgress(name: string): Progress {
  const startedAt = performance.now();
  const line = newLine();
  return {
    show: (processed, total) =>
      line.show(`${name}: ${progressText(processed, total, performance.now() - startedAt)}`),
    end: line.end,
  };
}
