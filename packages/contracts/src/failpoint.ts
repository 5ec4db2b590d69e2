/**
 * Named places where a test may stop the process, throw or wait, so that every crash window is hit on purpose.
 * Armed by `HELIOGRAPH_FAILPOINT=name:kill|throw|delay=ms[,name:…]`; an optional `@N` after the action acts on the Nth pass only.
 */
type Action = {
  readonly kind: "kill" | "throw" | "delay";
  readonly delayMs: number;
  readonly pass: number;
};

function parse(setting: string | undefined): Map<string, Action> | undefined {
  if (!setting) return undefined;
  const armed = new Map<string, Action>();
  for (const item of setting.split(",")) {
    const match = /^([\w.]+):(kill|throw|delay=(\d+))(?:@(\d+))?$/.exec(item.trim());
    if (!match)
      throw new Error(`HELIOGRAPH_FAILPOINT: "${item}" is not name:kill|throw|delay=ms[@pass]`);
    const kind = match[2]!.startsWith("delay") ? "delay" : (match[2] as "kill" | "throw");
    armed.set(match[1]!, { kind, delayMs: Number(match[3] ?? 0), pass: Number(match[4] ?? 0) });
  }
  return armed;
}

const armed = parse(process.env["HELIOGRAPH_FAILPOINT"]);
const passes = new Map<string, number>();

/** Free when nothing is armed. Returns a promise only when a delay is armed; callers that are async await the result. */
export function failpoint(name: string): void | Promise<void> {
  if (armed === undefined) return;
  const action = armed.get(name);
  if (action === undefined) return;
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  if (action.pass !== 0 && action.pass !== pass) return;
  if (action.kind === "kill") process.kill(process.pid, "SIGKILL");
  if (action.kind === "throw") throw new Error(`failpoint ${name}`);
  if (action.kind === "delay") return new Promise((resolve) => setTimeout(resolve, action.delayMs));
}
