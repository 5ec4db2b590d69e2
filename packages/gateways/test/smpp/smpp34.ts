import { spawnSync } from "node:child_process";

/** A Python that has `smpp34` of PyPI, an implementation that is not ours: `SMPP34_PYTHON`, else the first on the path. */
export const python = process.env["SMPP34_PYTHON"] ?? "python3";

/** Why it cannot be asked; undefined when it can. */
export function smpp34Missing(): string | undefined {
  const { status, stderr, error } = spawnSync(python, ["-c", "import smpp34"], { timeout: 10_000 });
  if (status === 0) return undefined;
  const said = error?.message ?? stderr.toString().trim().split("\n").at(-1);
  return `smpp34 (pip install smpp34, SMPP34_PYTHON names its Python) is not here: ${said}`;
}
