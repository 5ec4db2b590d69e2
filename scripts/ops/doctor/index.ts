import { newLogger, readSettings } from "@heliograph/runtime";
import { openTarget, type Target } from "../target.ts";
import { examine } from "./doctor.ts";
import { exitCodeOf, textOf } from "./report.ts";

/** Examines the installation that the environment names, shows the page and gives the exit code. Throws SettingsError. */
export async function doctor(env: NodeJS.ProcessEnv, json: boolean): Promise<number> {
  const settings = readSettings(env);
  const target: Target | Error = await openTarget(env).catch((error: Error) => error);
  try {
    const away = target instanceof Error;
    const report = await examine({
      settings: away ? settings : target.settings,
      logger: newLogger("silent"),
      server: away ? target : target.server,
    });
    process.stdout.write(`${json ? JSON.stringify(report, undefined, 2) : textOf(report)}\n`);
    return exitCodeOf(report);
  } finally {
    if (!(target instanceof Error)) await target.close();
  }
}
