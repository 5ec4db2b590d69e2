import type { SettingNote } from "@heliograph/runtime";

const head = `| variable | allowed | default | consequence |
|---|---|---|---|
`;

/** `docs/operating/settings.md`: every variable in one table, those of tests in another. `services` are the names that HELIOGRAPH_SERVICES takes. */
export function settingsPage(
  notes: ReadonlyMap<string, SettingNote>,
  services: readonly string[],
): string {
  const named = services.map((name) => `\`${name}\``).join(", ");
  const rows = (forTests: boolean): string =>
    [...notes]
      .filter(([, note]) => (note.forTests ?? false) === forTests)
      .map(([name, { allowed, preset, consequence }]) => {
        const cells = [allowed.replace("{services}", named), preset, consequence];
        return `| \`${name}\` | ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
      })
      .join("");
  return `# Settings

Made by \`npm run generate\` from \`packages/runtime/src/settings-table.ts\`. Settings are environment variables, read once at the start; what is not set there may stand in a file of its name in the folder of \`CREDENTIALS_DIRECTORY\`, where systemd's \`LoadCredential=\` and mounted secrets put it. A wrong value stops the start with one line that names the variable, and exit
code 2; so does a name that is a slip of one of these, and any other \`HELIOGRAPH_…\` is named in a warning. An empty value is the same as none. Lists are separated by commas.

${head}${rows(false)}
## For tests only
${head}${rows(true)}`;
}
